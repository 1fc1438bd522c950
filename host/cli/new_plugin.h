// A plugin to begin with: the template of the SDK, under a name of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sallyport::host::cli {

/// Where the installation that this program belongs to keeps what commands read of it.
struct Installation {
    std::filesystem::path pluginTemplate;  ///< from the package sallyport-dev
    std::filesystem::path plugins;         ///< those that are loaded, unless `plugins.dir` says otherwise
    std::vector<std::filesystem::path>
        daemons{};  ///< where the daemon's program may be; the first that is there
};

/// What is to be written, and where.
struct NewPlugin {
    std::string name;
    std::filesystem::path directory;
};

/// Copies the template, the plugin's name in the place of `plugin_name` and `PluginName`. All or nothing.
/// @return the names of the files, sorted.
/// @throws UsageError for a name that no plugin may have or one has, and a directory that is not empty;
///         Failure when there is no template, or it cannot be written.
std::vector<std::string> write(const NewPlugin& plugin, const Installation& installation);

}  // namespace sallyport::host::cli
