#include "host/plugins/plugin_set.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "host/plugins/library.h"

namespace sallyport::host::plugins {

namespace {

namespace fs = std::filesystem;

/// The plugin files of one directory, by name.
std::vector<std::string> pluginFiles(const std::string& directory) {
    requireTrustedDirectory(directory);
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(directory)) {
        if (entry.path().extension() == ".so")
            files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// Two routes with the same key answer the same requests.
std::string routeKey(const http::Route& route) {
    std::string key = route.method + " " + http::mountedPath(route);
    bool inside = false;
    std::erase_if(key, [&inside](char c) {
        if (c == '}')
            inside = false;
        const bool drop = inside && c != '.';
        if (c == '{')
            inside = true;
        return drop;
    });
    return key;
}

template <class F>
void guarded(Logger& log, const std::string& plugin, const char* what, F function) {
    try {
        function();
    } catch (const std::exception& error) {
        log.error(what, {{"plugin", plugin}, {"error", error.what()}});
    } catch (...) {
        log.error(what, {{"plugin", plugin}, {"error", "not a std::exception"}});
    }
}

}  // namespace

/// A started plugin. The library comes first: its code is used until all else is gone.
struct PluginSet::Running {
    std::shared_ptr<Library> library;
    std::shared_ptr<http::Gate> gate;
    std::unique_ptr<Context> context;
    std::unique_ptr<Plugin, void (*)(Plugin*)> plugin{nullptr, nullptr};
    std::vector<std::shared_ptr<const http::Route>> routes;
    std::shared_ptr<const Settings> settings;
    std::map<std::string, std::string> values;  ///< that the configuration has for it

    [[nodiscard]] std::string name() const { return library->descriptor().name; }

    /// @throws config::BadValue
    void configure(const config::Configuration& configuration) {
        const auto& descriptor = library->descriptor();
        settings = configuration.settings(descriptor.name, {descriptor.settings, descriptor.settingCount});
        values = configuration.below(descriptor.name);
    }

    /// Another that is not started yet, of the same library and with the same settings.
    [[nodiscard]] std::unique_ptr<Running> twin() const {
        auto other = std::make_unique<Running>();
        other->library = library;
        other->settings = settings;
        other->values = values;
        return other;
    }

    /// Makes and starts the plugin's object. @throws Refused
    void start(const Facilities& facilities, Context::Taken taken) {
        const auto& descriptor = library->descriptor();
        gate = std::make_shared<http::Gate>(descriptor.name);
        context =
            std::make_unique<Context>(facilities, descriptor.name, library, gate, settings, std::move(taken));
        std::string problem;
        try {
            plugin = {descriptor.create(), descriptor.destroy};
            if (!plugin)
                throw std::runtime_error("its factory made nothing");
            plugin->start(*context);
            routes = context->sealRoutes();
            return;
        } catch (const StoreError& error) {
            problem = error.detail();
        } catch (const std::exception& error) {
            problem = error.what();
        } catch (...) {
            problem = "it threw something that is no std::exception";
        }
        context->withdraw();
        gate->hold();
        static_cast<void>(gate->waitIdle(std::chrono::seconds(5)));
        context->endWatches();
        plugin.reset();
        context.reset();
        throw Refused("it did not start: " + problem);
    }

    void stop(Logger& log) {
        context->withdraw();
        guarded(log, name(), "a plugin failed while stopping", [this] { plugin->stop(); });
        context->endWatches();
        guarded(log, name(), "a plugin failed while being destroyed", [this] { plugin.reset(); });
        routes.clear();
        context.reset();
    }
};

std::vector<Inspected> inspect(const PluginSources& sources) {
    std::vector<Inspected> found;
    for (const auto& directory : sources.directories) {
        try {
            for (const auto& file : pluginFiles(directory)) {
                auto& entry = found.emplace_back(Inspected{file, nullptr, {}});
                try {
                    entry.library = std::make_shared<Library>(file, sources.workspace);
                } catch (const Refused& refused) {
                    entry.problem = refused.what();
                }
            }
        } catch (const Refused& refused) {
            found.push_back({directory, nullptr, refused.what()});
        }
    }
    std::erase_if(found, [&](const Inspected& entry) {
        return entry.library && std::find(sources.disabled.begin(), sources.disabled.end(),
                                          entry.library->descriptor().name) != sources.disabled.end();
    });
    return found;
}

PluginSet::PluginSet(Facilities facilities, http::RouteTable::Routes hostRoutes, Logger& log)
    : facilities_(std::move(facilities)), hostRoutes_(std::move(hostRoutes)), log_(log) {
    publish();
}

PluginSet::~PluginSet() {
    stop();
}

/// One pass over directories and running plugins.
class PluginSet::Reloading {
public:
    Reloading(PluginSet& set, const PluginSources& sources, const config::Configuration& configuration,
              bool strict)
        : set_(set), sources_(sources), configuration_(configuration), strict_(strict) {}

    ReloadReport run() {
        set_.buryRetired();
        fs::create_directories(sources_.workspace);
        fs::permissions(sources_.workspace, fs::perms::owner_all);
        for (const auto& directory : sources_.directories) {
            attempt(directory, [&] {
                for (auto& file : pluginFiles(directory))
                    files_.push_back(std::move(file));
            });
        }
        // What is gone goes first: a route or a name that moved to another file is free by then.
        unloadMissing();
        for (const auto& file : files_)
            attempt(file, [&] { consider(file); });
        const std::lock_guard lock(set_.mutex_);
        set_.refused_ = std::move(refused_);
        return std::move(report_);
    }

private:
    template <class F>
    void attempt(const std::string& file, F function) {
        try {
            function();
        } catch (const Refused& refused) {
            refuse(file, refused.what());
        } catch (const config::BadValue& bad) {
            if (strict_)
                throw;
            refuse(file, bad.what());
        } catch (const fs::filesystem_error& error) {
            refuse(file, error.code().message());
        }
    }

    void refuse(const std::string& file, const std::string& reason) {
        set_.log_.error("a plugin was refused", {{"file", file}, {"reason", reason}});
        report_.refused.push_back({file, reason});
        PluginInfo info;
        info.name = fs::path(file).stem().string();
        info.file = file;
        info.error = reason;
        refused_.push_back(std::move(info));
    }

    [[nodiscard]] bool disabled(const std::string& name) const {
        return std::find(sources_.disabled.begin(), sources_.disabled.end(), name) != sources_.disabled.end();
    }

    [[nodiscard]] Running* runningFrom(const std::string& file) const {
        for (const auto& running : set_.running_) {
            if (running->library->file() == file)
                return running.get();
        }
        return nullptr;
    }

    [[nodiscard]] Running* runningNamed(const std::string& name) const {
        for (const auto& running : set_.running_) {
            if (running->name() == name)
                return running.get();
        }
        return nullptr;
    }

    [[nodiscard]] Context::Taken taken(const Running* replaced) const {
        return [this, replaced](const http::Route& wanted) -> std::string {
            const auto key = routeKey(wanted);
            for (const auto& route : set_.routesWithout(replaced)) {
                if (routeKey(*route) == key)
                    return route->gate->plugin();
            }
            return {};
        };
    }

    void unloadMissing() {
        std::vector<Running*> missing;
        for (const auto& running : set_.running_) {
            const bool there =
                std::find(files_.begin(), files_.end(), running->library->file()) != files_.end();
            if (!there || disabled(running->name()))
                missing.push_back(running.get());
        }
        for (auto* running : missing)
            unload(*running);
    }

    void consider(const std::string& file) {
        if (auto* running = runningFrom(file)) {
            if (stampOf(file) == running->library->stamp() &&
                configuration_.below(running->name()) == running->values)
                report_.unchanged.push_back(running->name());
            else
                replace(*running, file);
            return;
        }
        auto library = std::make_shared<Library>(file, sources_.workspace);
        const std::string name = library->descriptor().name;
        if (disabled(name))
            return;
        if (const auto* other = runningNamed(name))
            throw Refused("a plugin named " + name + " is running already, from " + other->library->file());
        auto fresh = std::make_unique<Running>();
        fresh->library = std::move(library);
        fresh->configure(configuration_);
        fresh->start(set_.facilities_, taken(nullptr));
        {
            const std::lock_guard lock(set_.mutex_);
            set_.running_.push_back(std::move(fresh));
        }
        set_.publish();
        report_.loaded.push_back(name);
        set_.log_.info("a plugin was loaded", {{"plugin", name}, {"file", file}});
    }

    void unload(Running& running) {
        const auto name = running.name();
        const auto gate = running.gate;
        gate->hold();
        auto old = take(running);
        set_.publish();
        quiesce(*gate, name);
        set_.retire(std::move(old));
        gate->release();  // whoever waited finds that the route is gone
        report_.unloaded.push_back(name);
        set_.log_.info("a plugin was unloaded", {{"plugin", name}});
    }

    void replace(Running& running, const std::string& file) {
        auto library = std::make_shared<Library>(file, sources_.workspace);
        const auto name = running.name();
        if (name != library->descriptor().name)
            throw Refused("it is now named " + std::string(library->descriptor().name) + " instead of " +
                          name + "; remove it, reload, and put it back");
        auto fresh = std::make_unique<Running>();
        fresh->library = library;
        fresh->configure(configuration_);
        auto before = running.twin();
        const auto gate = running.gate;
        gate->hold();
        quiesce(*gate, name);
        set_.retire(take(running));

        std::string problem;
        try {
            fresh->start(set_.facilities_, taken(nullptr));
        } catch (const std::exception& error) {
            problem = error.what();
        }
        if (!problem.empty())
            fresh = startAgain(std::move(before));
        if (fresh) {
            const std::lock_guard lock(set_.mutex_);
            set_.running_.push_back(std::move(fresh));
        }
        set_.publish();
        gate->release();
        if (!problem.empty())
            throw Refused(problem + "; the version that was running goes on");
        report_.reloaded.push_back(name);
        set_.log_.info("a plugin was replaced", {{"plugin", name}, {"file", file}});
    }

    /// The version before, with the settings it had, after its successor failed.
    std::unique_ptr<Running> startAgain(std::unique_ptr<Running> before) {
        try {
            before->start(set_.facilities_, taken(nullptr));
            return before;
        } catch (const std::exception& error) {
            set_.log_.error("a plugin could not be started again",
                            {{"plugin", before->name()}, {"error", error.what()}});
            return nullptr;
        }
    }

    /// Waits for the calls in progress; what is only parked or subscribed is ended.
    void quiesce(http::Gate& gate, const std::string& name) {
        set_.facilities_.server.endWaits(gate.shared_from_this());
        if (!gate.waitIdle(sources_.grace))
            set_.log_.warn("a plugin's calls did not end in time and go on beside its successor",
                           {{"plugin", name}});
    }

    std::unique_ptr<Running> take(Running& running) {
        const std::lock_guard lock(set_.mutex_);
        const auto found = std::find_if(set_.running_.begin(), set_.running_.end(),
                                        [&](const auto& other) { return other.get() == &running; });
        auto taken = std::move(*found);
        set_.running_.erase(found);
        return taken;
    }

    PluginSet& set_;
    const PluginSources& sources_;
    const config::Configuration& configuration_;
    const bool strict_;
    std::vector<std::string> files_;
    ReloadReport report_;
    std::vector<PluginInfo> refused_;
};

ReloadReport PluginSet::reload(const PluginSources& sources, const config::Configuration& configuration,
                               bool strict) {
    const std::lock_guard lock(reloading_);
    return Reloading(*this, sources, configuration, strict).run();
}

http::RouteTable::Routes PluginSet::routesWithout(const Running* left) const {
    auto routes = hostRoutes_;
    const std::lock_guard lock(mutex_);
    for (const auto& running : running_) {
        if (running.get() != left)
            routes.insert(routes.end(), running->routes.begin(), running->routes.end());
    }
    return routes;
}

void PluginSet::publish() {
    facilities_.server.publish(std::make_shared<const http::RouteTable>(routesWithout(nullptr)));
}

void PluginSet::retire(std::unique_ptr<Running> running) {
    running->context->withdraw();
    if (running->gate->quiet()) {
        running->stop(log_);
        return;
    }
    const std::lock_guard lock(mutex_);
    retired_.push_back(std::move(running));
}

void PluginSet::buryRetired() {
    std::vector<std::unique_ptr<Running>> quiet;
    {
        const std::lock_guard lock(mutex_);
        const auto split = std::stable_partition(retired_.begin(), retired_.end(),
                                                 [](const auto& running) { return !running->gate->quiet(); });
        quiet.assign(std::make_move_iterator(split), std::make_move_iterator(retired_.end()));
        retired_.erase(split, retired_.end());
    }
    for (const auto& running : quiet)
        running->stop(log_);
}

void PluginSet::stop() {
    const std::lock_guard lock(reloading_);
    std::vector<std::unique_ptr<Running>> all;
    {
        const std::lock_guard listLock(mutex_);
        all.swap(running_);
        std::move(retired_.begin(), retired_.end(), std::back_inserter(all));
        retired_.clear();
    }
    for (auto running = all.rbegin(); running != all.rend(); ++running) {
        (*running)->gate->hold();
        static_cast<void>((*running)->gate->waitIdle(std::chrono::seconds(5)));
        (*running)->stop(log_);
    }
}

std::vector<PluginInfo> PluginSet::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<PluginInfo> infos;
    for (const auto& running : running_) {
        const auto& descriptor = running->library->descriptor();
        PluginInfo info{descriptor.name,
                        descriptor.version,
                        descriptor.summary,
                        running->library->file(),
                        true,
                        {},
                        {},
                        {},
                        {}};
        guarded(log_, info.name, "a plugin failed to say how it is",
                [&] { info.trouble = running->plugin->trouble(); });
        for (const auto& route : running->routes) {
            info.methods.push_back(route->method);
            info.paths.push_back(http::mountedPath(*route));
        }
        infos.push_back(std::move(info));
    }
    infos.insert(infos.end(), refused_.begin(), refused_.end());
    return infos;
}

std::vector<std::string> PluginSet::settingKeys() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> keys;
    for (const auto& running : running_) {
        const auto& descriptor = running->library->descriptor();
        for (std::size_t i = 0; i < descriptor.settingCount; ++i)
            keys.push_back(running->name() + "." + descriptor.settings[i].key);
    }
    return keys;
}

}  // namespace sallyport::host::plugins
