// All plugins of a daemon: finding, starting, replacing, stopping them.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/config/configuration.h"
#include "host/http/server.h"
#include "host/plugins/context.h"
#include "host/plugins/library.h"
#include "host/plugins/plugin_sources.h"
#include "host/plugins/retirement.h"
#include "host/plugins/running_plugin.h"

namespace sallyport::host::plugins {

/// A plugin as an operator sees it.
struct PluginInfo {
    std::string name;
    std::string version;
    std::string summary;
    std::string file;
    std::string sha256;  ///< of a running one
    bool running = false;
    std::string error;                   ///< why it was refused
    bool postponed = false;              ///< refused for a reason that may pass: it is tried again
    std::optional<std::string> trouble;  ///< what a running plugin complains about
    std::vector<std::string> methods;    ///< with `paths`, its routes
    std::vector<std::string> paths;
    std::vector<std::string> permissions;  ///< empty ones for workers' routes
};

/// What a reload did, by plugin name.
struct ReloadReport {
    struct Refusal {
        std::string file;
        std::string reason;
    };
    std::vector<std::string> loaded;
    std::vector<std::string> reloaded;
    std::vector<std::string> unloaded;
    std::vector<std::string> unchanged;
    std::vector<Refusal> refused;
};

/// The plugins. Loading, replacing and unloading never happen twice at once. [any thread but a loop's]
class PluginSet {
public:
    /// @param hostRoutes always in force, and in no plugin's way.
    PluginSet(Facilities facilities, http::RouteTable::Routes hostRoutes, Logger& log);
    ~PluginSet();

    /// Makes the running plugins agree with what is in the directories: loads what is new, replaces what has
    /// changed, unloads what is gone or disabled. A plugin that cannot be loaded is refused with one clear
    /// line, in the log and in the report; if it was to replace another, that one goes on.
    ///
    /// A replaced plugin's new requests wait while its calls in progress end, so that none fails and no two
    /// copies of a plugin are at work at once. What it has parked is answered at once.
    /// @throws config::BadValue for a plugin's setting that cannot be, if `strict`; else it is a refusal.
    ReloadReport reload(const PluginSources& sources, const config::Configuration& configuration,
                        bool strict = false);

    /// Tries those again that were postponed: refused for want of room on the disk, or of a database that can
    /// be written. Until they run, paths that nobody has are answered 503, as any of them may be theirs. A
    /// refusal is told again only where its reason is another.
    ReloadReport retry(const PluginSources& sources, const config::Configuration& configuration);

    /// The files of those that wait to be tried again.
    [[nodiscard]] std::vector<std::string> postponed() const;

    /// Stops and destroys all plugins, the last started first. Requests must have been drained. A plugin
    /// whose code does not return stays as it is, and the log says what runs.
    /// @param limit for all of them together.
    /// @return whether all have ended. Else what they use must not be destroyed either.
    [[nodiscard]] bool stop(std::chrono::milliseconds limit);

    [[nodiscard]] std::vector<PluginInfo> list() const;

    /// The keys that running plugins declare, whole.
    [[nodiscard]] std::vector<std::string> settingKeys() const;

private:
    class Reloading;

    [[nodiscard]] http::RouteTable::Routes allRoutes() const;
    [[nodiscard]] http::RouteTable::AssetTrees allAssets() const;
    void publish();
    Retirement& retire(std::shared_ptr<RunningPlugin> plugin) noexcept;
    void buryRetired();
    void nameWhatRuns(const std::string& plugin);

    Facilities facilities_;
    http::RouteTable::Routes hostRoutes_;
    Logger& log_;
    std::mutex reloading_;      ///< held for all of a reload
    Retirements retired_;       ///< those that may not be over. Guarded by reloading_
    mutable std::mutex mutex_;  ///< guards what follows; never held in a plugin
    std::vector<std::shared_ptr<RunningPlugin>> running_;
    std::vector<PluginInfo> refused_;
};

}  // namespace sallyport::host::plugins
