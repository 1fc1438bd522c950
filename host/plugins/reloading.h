// One pass over plugin directories and running plugins.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/plugins/plugin_file.h"
#include "host/plugins/plugin_set.h"
#include "host/trust/trust.h"

namespace sallyport::host::plugins {

/// Makes the running plugins agree with what is in the directories. Lives for one PluginSet::reload, under
/// its lock.
class PluginSet::Reloading {
public:
    Reloading(PluginSet& set, const PluginSources& sources, const config::Configuration& configuration,
              bool strict)
        : set_(set), sources_(sources), configuration_(configuration), strict_(strict) {}

    ReloadReport run();
    /// Looks only at those that were postponed, and tells only what has changed.
    ReloadReport retry();

private:
    using Running = std::shared_ptr<RunningPlugin>;

    // Finding.
    void prepareWorkspace() const;
    void agree();
    void find(const std::string& directory);
    [[nodiscard]] bool attempt(const std::string& file, const std::function<void()>& function);
    void refuse(const std::string& file, const std::string& reason);
    [[nodiscard]] bool isKnown(const std::string& file, const std::string& reason) const;
    [[nodiscard]] ReloadReport finish();
    [[nodiscard]] Running runningFrom(const std::string& file) const;
    [[nodiscard]] Running runningNamed(const std::string& name) const;
    [[nodiscard]] bool isMissing(const std::string& file) const;
    [[nodiscard]] bool isListed(const std::string& sha256) const;
    [[nodiscard]] PluginFile readListed(const std::string& file) const;

    // Loading, unloading, replacing.
    void consider(const std::string& file);
    void load(const std::string& file);
    [[nodiscard]] Context::Taken taken() const;
    void start(const Running& fresh);
    void unloadMissing();
    void unloadUnlisted(const Running& running);
    void unload(const Running& running);
    [[nodiscard]] Running successor(const Running& running, const std::string& file);
    void replace(const Running& running, const std::string& file);
    [[nodiscard]] Running startAgain(Running before, std::string& problem);
    void quiesce(http::Gate& gate);
    void retire(Running running);
    void take(const Running& running);

    PluginSet& set_;
    const PluginSources& sources_;
    const config::Configuration& configuration_;
    const bool strict_;
    bool again_ = false;  ///< what was refused for the same reason before was told then
    const trust::Trust trust_;
    std::vector<std::string> files_;
    std::vector<std::filesystem::path> unknown_;  ///< directories that could not be looked into
    ReloadReport report_;
    std::vector<PluginInfo> refused_;
};

}  // namespace sallyport::host::plugins
