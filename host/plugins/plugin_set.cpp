#include "host/plugins/plugin_set.h"

#include <algorithm>
#include <utility>

#include "host/entry/slow_calls.h"
#include "host/plugins/reloading.h"

namespace sallyport::host::plugins {

namespace {

/// Each plugin gets so long to stop.
constexpr std::chrono::milliseconds leastPatience{500};

PluginInfo describe(RunningPlugin& running) {
    const auto& descriptor = running.library().descriptor();
    PluginInfo info{descriptor.name,
                    descriptor.version,
                    descriptor.summary,
                    running.library().file(),
                    running.library().sha256(),
                    true,
                    {},
                    false,
                    running.trouble(),
                    {},
                    {},
                    {}};
    for (const auto& route : running.routes()) {
        info.methods.push_back(route->method);
        info.paths.push_back(http::mountedPath(*route));
        info.permissions.push_back(route->permission);
    }
    return info;
}

}  // namespace

PluginSet::PluginSet(Facilities facilities, http::RouteTable::Routes hostRoutes, Logger& log)
    : facilities_(std::move(facilities)), hostRoutes_(std::move(hostRoutes)), log_(log) {
    publish();
}

PluginSet::~PluginSet() {
    // Also when not all of them end in time: this then waits for them.
    static_cast<void>(stop({}));
}

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
        if (info.postponed) {
            files.push_back(info.file);
        }
    }
    return files;
}

http::RouteTable::Routes PluginSet::allRoutes() const {
    auto routes = hostRoutes_;
    const std::lock_guard lock(mutex_);
    for (const auto& running : running_) {
        routes.insert(routes.end(), running->routes().begin(), running->routes().end());
    }
    return routes;
}

http::RouteTable::AssetTrees PluginSet::allAssets() const {
    http::RouteTable::AssetTrees trees;
    const std::lock_guard lock(mutex_);
    for (const auto& running : running_) {
        if (running->assets()) {
            trees.push_back(running->assets());
        }
    }
    return trees;
}

void PluginSet::publish() {
    facilities_.server.publish(
        std::make_shared<const http::RouteTable>(allRoutes(), postponed().size(), allAssets()));
}

void PluginSet::buryRetired() {
    retired_.remove_if([](auto& retirement) { return retirement.awaitEnd({}); });
}

/// Begins with a plugin's end. @param plugin whose gate is held.
Retirement& PluginSet::retire(std::shared_ptr<RunningPlugin> plugin) noexcept {
    retired_.splice(retired_.end(), plugin->retirement());
    retired_.back().begin(std::move(plugin));
    return retired_.back();
}

bool PluginSet::stop(std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    const auto remaining = [&deadline] {
        return std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    };
    const std::lock_guard lock(reloading_);
    std::vector<std::shared_ptr<RunningPlugin>> all;
    {
        const std::lock_guard listLock(mutex_);
        all.swap(running_);
    }
    while (!all.empty()) {
        all.back()->gate()->hold();
        auto& retirement = retire(std::move(all.back()));
        all.pop_back();
        // One that does not end takes nothing from those that would at once.
        static_cast<void>(retirement.awaitEnd(std::max(remaining(), leastPatience)));
    }
    for (auto& retirement : retired_) {
        static_cast<void>(retirement.awaitEnd(remaining()));
    }
    buryRetired();
    for (const auto& retirement : retired_) {
        nameWhatRuns(retirement.name());
    }
    return retired_.empty();
}

void PluginSet::nameWhatRuns(const std::string& plugin) {
    constexpr const char* message = "a plugin cannot be stopped: its code does not return";
    bool named = false;
    for (const auto& call : entry::running({})) {
        if (call.plugin != plugin) {
            continue;
        }
        named = true;
        entry::logRunning(log_, LogLevel::error, message, call);
    }
    if (!named) {
        log_.error("a plugin cannot be stopped: calls of it have not ended", {{"plugin", plugin}});
    }
}

std::vector<PluginInfo> PluginSet::list() const {
    std::vector<std::shared_ptr<RunningPlugin>> running;
    std::vector<PluginInfo> refused;
    {
        const std::lock_guard lock(mutex_);
        running = running_;
        refused = refused_;
    }
    // Without the lock: each is asked how it is.
    std::vector<PluginInfo> infos;
    for (const auto& plugin : running) {
        infos.push_back(describe(*plugin));
    }
    infos.insert(infos.end(), refused.begin(), refused.end());
    return infos;
}

std::vector<std::string> PluginSet::settingKeys() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> keys;
    for (const auto& running : running_) {
        for (const auto& setting : settingsOf(running->library().descriptor())) {
            keys.push_back(running->name() + "." + setting.key);
        }
    }
    return keys;
}

}  // namespace sallyport::host::plugins
