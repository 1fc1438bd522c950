#include "host/plugins/plugin_set.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>

#include "host/plugins/declaration.h"
#include "host/plugins/library.h"

namespace sallyport::host::plugins {

namespace {

namespace fs = std::filesystem;

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

/// Whether that passes when there is room, or the disk is well again.
bool isOfDisk(const std::error_code& code) {
    return code == std::errc::no_space_on_device || code == std::errc::file_too_large ||
           code == std::errc::io_error || code == std::errc::read_only_file_system ||
           code == std::error_code(EDQUOT, std::generic_category());
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

/// @throws config::BadValue, Refused for a default that cannot be.
std::shared_ptr<const Settings> settingsFor(const Library& library,
                                            const config::Configuration& configuration) {
    const auto& descriptor = library.descriptor();
    try {
        return configuration.settings(descriptor.name, {descriptor.settings, descriptor.settingCount});
    } catch (const std::logic_error& error) {
        throw Refused(error.what());
    }
}

}  // namespace

/// A started plugin. The library comes first: its code is used until all else is gone.
struct PluginSet::Running {
    std::shared_ptr<Library> library;
    std::shared_ptr<const Settings> settings;
    std::map<std::string, std::string> values;  ///< that the configuration has for it
    std::shared_ptr<http::Gate> gate;
    std::unique_ptr<Context> context;
    std::unique_ptr<Plugin, void (*)(Plugin*)> plugin{nullptr, nullptr};
    std::vector<std::shared_ptr<const http::Route>> routes;

    Running(std::shared_ptr<Library> code, std::shared_ptr<const Settings> checked,
            std::map<std::string, std::string> raw)
        : library(std::move(code)), settings(std::move(checked)), values(std::move(raw)) {}

    [[nodiscard]] std::string name() const { return library->descriptor().name; }

    /// Another that is not started yet, of the same library and with the same settings.
    [[nodiscard]] std::unique_ptr<Running> twin() const {
        return std::make_unique<Running>(library, settings, values);
    }

    /// Makes and starts the plugin's object. @throws Refused
    void start(const Facilities& facilities, Context::Taken taken) {
        const auto& descriptor = library->descriptor();
        gate = std::make_shared<http::Gate>(descriptor.name);
        context =
            std::make_unique<Context>(facilities, descriptor.name, library, gate, settings, std::move(taken));
        std::string problem;
        bool mayPass = false;
        try {
            plugin = {descriptor.create(), descriptor.destroy};
            if (!plugin)
                throw std::runtime_error("its factory made nothing");
            plugin->start(*context);
            routes = context->sealRoutes();
            return;
        } catch (const StoreError& error) {
            problem = error.detail();
            mayPass = true;
        } catch (const std::system_error& error) {
            problem = error.what();
            mayPass = isOfDisk(error.code());
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
        if (mayPass)
            throw Postponed("it did not start: " + problem);
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
        if (strict_)
            prepareWorkspace();
        if (strict_ || attempt(sources_.workspace, [this] { prepareWorkspace(); }))
            agree();
        return finish();
    }

    /// Looks only at those that were postponed, and tells only what has changed.
    ReloadReport retry() {
        again_ = true;
        for (const auto& info : set_.refused_) {
            if (!info.postponed)
                refused_.push_back(info);
            else if (runningFrom(info.file) == nullptr)
                attempt(info.file, [&] { consider(info.file); });
        }
        return finish();
    }

private:
    ReloadReport finish() {
        {
            const std::lock_guard lock(set_.mutex_);
            set_.refused_ = std::move(refused_);
        }
        set_.publish();
        return std::move(report_);
    }

    /// What is run are the copies that are there, so nobody else may write there.
    void prepareWorkspace() const {
        fs::create_directories(sources_.workspace);
        fs::permissions(sources_.workspace, fs::perms::owner_all);
        try {
            trust_.requireDirectory(sources_.workspace);
        } catch (const trust::Untrusted& problem) {
            throw Refused(std::string("plugins cannot be copied to data.dir: ") + problem.what());
        }
    }

    void agree() {
        for (const auto& directory : sources_.directories)
            attempt(directory, [&] { find(directory); });
        // What is gone goes first: a route or a name that moved to another file is free by then.
        unloadMissing();
        for (const auto& file : files_)
            attempt(file, [&] { consider(file); });
    }

    /// One that cannot be read or trusted just now says nothing about what is in it: what runs from there
    /// goes on. One that is not there has no plugins.
    void find(const std::string& directory) {
        try {
            const auto found = pluginFilesIn(directory, trust_);
            files_.insert(files_.end(), found.begin(), found.end());
        } catch (const Refused&) {
            std::error_code error;
            if (fs::exists(directory, error) || error)
                unknown_.push_back((fs::path(directory) / "").parent_path());
            throw;
        }
    }

    /// @return whether it was not refused.
    template <class F>
    bool attempt(const std::string& file, F function) {
        try {
            function();
            return true;
        } catch (const Postponed& postponed) {
            refuse(file, postponed.what());
            refused_.back().postponed = true;
        } catch (const Refused& refused) {
            refuse(file, refused.what());
        } catch (const config::BadValue& bad) {
            if (strict_)
                throw;
            refuse(file, bad.what());
        } catch (const fs::filesystem_error& error) {
            refuse(file, error.code().message());
        } catch (const std::exception& error) {
            refuse(file, error.what());
        }
        return false;
    }

    void refuse(const std::string& file, const std::string& reason) {
        if (!again_ || !isKnown(file, reason))
            set_.log_.error("a plugin was refused", {{"file", file}, {"reason", reason}});
        report_.refused.push_back({file, reason});
        PluginInfo info;
        info.name = fs::path(file).stem().string();
        info.file = file;
        info.error = reason;
        refused_.push_back(std::move(info));
    }

    [[nodiscard]] bool isKnown(const std::string& file, const std::string& reason) const {
        return std::any_of(set_.refused_.begin(), set_.refused_.end(),
                           [&](const auto& info) { return info.file == file && info.error == reason; });
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

    [[nodiscard]] bool isMissing(const std::string& file) const {
        const bool there = std::find(files_.begin(), files_.end(), file) != files_.end();
        const auto directory = fs::path(file).parent_path();
        return !there && std::find(unknown_.begin(), unknown_.end(), directory) == unknown_.end();
    }

    void unloadMissing() {
        std::vector<Running*> missing;
        for (const auto& running : set_.running_) {
            if (isMissing(running->library->file()) || sources_.isDisabled(running->name()))
                missing.push_back(running.get());
        }
        for (auto* running : missing)
            unload(*running);
    }

    void consider(const std::string& file) {
        if (auto* running = runningFrom(file)) {
            if (stampOf(file) != running->library->stamp() ||
                configuration_.below(running->name()) != running->values)
                replace(*running, file);
            else if (isListed(running->library->sha256()))
                report_.unchanged.push_back(running->name());
            else
                unloadUnlisted(*running);
            return;
        }
        const auto read = readListed(file);
        const auto name = declarationIn(ObjectFile(*read.bytes)).name;
        if (sources_.isDisabled(name))
            return;
        if (const auto* other = runningNamed(name))
            throw Refused("a plugin named " + name + " is running already, from " + other->library->file());
        auto fresh = configured(std::make_shared<Library>(read, sources_.workspace));
        fresh->start(set_.facilities_, taken(nullptr));
        {
            const std::lock_guard lock(set_.mutex_);
            set_.running_.push_back(std::move(fresh));
        }
        set_.publish();
        report_.loaded.push_back(name);
        set_.log_.info("a plugin was loaded", {{"plugin", name}, {"file", file}});
    }

    [[nodiscard]] bool isListed(const std::string& sha256) const {
        return !sources_.trusted || sources_.trusted->has(sha256);
    }

    /// Its sum was taken from the list while it ran.
    void unloadUnlisted(Running& running) {
        const auto problem = notListed(*sources_.trusted, running.library->sha256());
        unload(running);
        throw Refused(problem);
    }

    [[nodiscard]] PluginFile readListed(const std::string& file) const {
        if (sources_.beingWritten && sources_.beingWritten(file))
            throw Refused("it is still being written; it is looked at again when it is complete");
        auto read = readPluginFile(file, trust_);
        if (!isListed(read.sha256))
            throw Refused(notListed(*sources_.trusted, read.sha256));
        return read;
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

    /// @throws config::BadValue
    std::unique_ptr<Running> configured(std::shared_ptr<Library> library) const {
        auto settings = settingsFor(*library, configuration_);
        auto values = configuration_.below(library->descriptor().name);
        return std::make_unique<Running>(std::move(library), std::move(settings), std::move(values));
    }

    /// All that can be found wrong with the successor while the running one is at work.
    std::unique_ptr<Running> successor(Running& running, const std::string& file) {
        try {
            auto library = std::make_shared<Library>(readListed(file), sources_.workspace);
            const std::string name = library->descriptor().name;
            if (name != running.name())
                throw Refused("it is now named " + name + " instead of " + running.name() +
                              "; remove it, reload, and put it back");
            return configured(std::move(library));
        } catch (const std::runtime_error& problem) {
            if (!isListed(running.library->sha256())) {
                unload(running);
                throw Refused(std::string(problem.what()) +
                              "; the version that was running is not listed either");
            }
            throw Refused(problem.what() + std::string(goesOn));
        }
    }

    void replace(Running& running, const std::string& file) {
        auto fresh = successor(running, file);
        const auto name = running.name();
        auto before = running.twin();
        const auto gate = running.gate;
        gate->hold();
        quiesce(*gate, name);
        set_.retire(take(running));

        std::string problem;
        bool mayPass = false;
        try {
            fresh->start(set_.facilities_, taken(nullptr));
        } catch (const std::exception& error) {
            problem = error.what();
            mayPass = dynamic_cast<const Postponed*>(&error) != nullptr;
            fresh = startAgain(std::move(before), problem);
        }
        if (fresh) {
            const std::lock_guard lock(set_.mutex_);
            set_.running_.push_back(std::move(fresh));
        }
        set_.publish();
        gate->release();
        const bool gone = runningNamed(name) == nullptr;
        if (gone)
            report_.unloaded.push_back(name);
        if (gone && mayPass)
            throw Postponed(problem);
        if (!problem.empty())
            throw Refused(problem);
        report_.reloaded.push_back(name);
        set_.log_.info("a plugin was replaced", {{"plugin", name}, {"file", file}});
    }

    /// The version before, from its private copy and with the settings that it had, after its successor
    /// failed.
    /// @param problem why; what became of this is added.
    std::unique_ptr<Running> startAgain(std::unique_ptr<Running> before, std::string& problem) {
        try {
            if (const auto& sum = before->library->sha256(); !isListed(sum))
                throw Refused(notListed(*sources_.trusted, sum));
            before->start(set_.facilities_, taken(nullptr));
            problem += goesOn;
            return before;
        } catch (const std::exception& error) {
            problem +=
                std::string("; nor could the version that was running be started again: ") + error.what();
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

    static constexpr const char* goesOn = "; the version that was running goes on";

    PluginSet& set_;
    const PluginSources& sources_;
    const config::Configuration& configuration_;
    const bool strict_;
    bool again_ = false;  ///< what was refused for the same reason before was told then
    const trust::Trust trust_;
    std::vector<std::string> files_;
    std::vector<fs::path> unknown_;  ///< directories that could not be looked into
    ReloadReport report_;
    std::vector<PluginInfo> refused_;
};

ReloadReport PluginSet::reload(const PluginSources& sources, const config::Configuration& configuration,
                               bool strict) {
    const std::lock_guard lock(reloading_);
    return Reloading(*this, sources, configuration, strict).run();
}

ReloadReport PluginSet::retry(const PluginSources& sources, const config::Configuration& configuration) {
    const std::lock_guard lock(reloading_);
    return Reloading(*this, sources, configuration, false).retry();
}

std::vector<std::string> PluginSet::postponed() const {
    std::vector<std::string> files;
    const std::lock_guard lock(mutex_);
    for (const auto& info : refused_) {
        if (info.postponed)
            files.push_back(info.file);
    }
    return files;
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
    facilities_.server.publish(
        std::make_shared<const http::RouteTable>(routesWithout(nullptr), postponed().size()));
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
                        running->library->sha256(),
                        true,
                        {},
                        false,
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
