#include "host/plugins/plugin_sources.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <system_error>

#include <build_info.h>

namespace sallyport::host::plugins {

namespace {

namespace fs = std::filesystem;

constexpr const char* trustedKey = "plugins.trusted";

/// The plugins beside this executable, as in a build tree or a relocated installation; else the installed
/// ones.
std::string defaultPlugins() {
    std::error_code error;
    const auto executable = fs::read_symlink("/proc/self/exe", error);
    if (!error) {
        const auto beside = executable.parent_path().parent_path() / "lib" / "sallyport" / "plugins";
        if (fs::is_directory(beside, error)) {
            return beside.string();
        }
    }
    return installedPlugins;
}

/// The same for what they serve.
std::string defaultAssets() {
    std::error_code error;
    const auto executable = fs::read_symlink("/proc/self/exe", error);
    if (!error) {
        const auto beside = executable.parent_path().parent_path() / "share" / "sallyport";
        if (fs::is_directory(beside, error)) {
            return beside.string();
        }
    }
    return installedAssets;
}

std::vector<std::string> splitPath(const std::string& path) {
    std::vector<std::string> parts;
    std::istringstream input(path);
    for (std::string part; std::getline(input, part, ':');) {
        if (!part.empty()) {
            parts.push_back(part);
        }
    }
    return parts;
}

}  // namespace

bool PluginSources::isDisabled(const std::string& name) const {
    return std::find(disabled.begin(), disabled.end(), name) != disabled.end();
}

PluginSources readPluginSources(const Settings& settings) {
    PluginSources sources;
    const auto directories = settings.text("plugins.dir");
    sources.directories = splitPath(directories.empty() ? defaultPlugins() : directories);
    const auto assets = settings.text("plugins.assets");
    sources.assets = assets.empty() ? defaultAssets() : assets;
    sources.disabled = settings.list("plugins.disabled");
    sources.watch = settings.boolean("plugins.watch");
    sources.workspace = settings.text("data.dir") + "/plugins";
    return sources;
}

std::shared_ptr<const TrustedSums> readTrustedSums(const config::Configuration& configuration,
                                                   const Settings& settings, const trust::Trust& trust) {
    const auto file = settings.text(trustedKey);
    if (file.empty()) {
        return nullptr;
    }
    try {
        return std::make_shared<const TrustedSums>(file, trust);
    } catch (const std::runtime_error& problem) {
        throw configuration.badValue(trustedKey,
                                     std::string("a file of SHA-256 sums, but ") + problem.what());
    }
}

}  // namespace sallyport::host::plugins
