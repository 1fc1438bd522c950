// Plugins for a test, in a directory of its own.
#pragma once

#include <filesystem>
#include <string>

#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

class PluginFiles {
public:
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return directory_.path(); }
    [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return directory_ / name; }

    /// Where the plugin of that name was built, for tests alone.
    [[nodiscard]] static std::filesystem::path built(const std::string& name) {
        return std::filesystem::path(SALLYPORT_TEST_PLUGIN_PATH) / (name + ".so");
    }

    /// Puts a built plugin there under a name, by renaming, as an administrator should.
    void install(const std::string& name, const std::string& as = {}) const {
        const auto fresh = directory_ / "fresh";
        std::filesystem::copy_file(built(name), fresh);
        std::filesystem::rename(fresh, directory_ / ((as.empty() ? name : as) + ".so"));
    }

private:
    TemporaryDirectory directory_;
};

}  // namespace sallyport::tests
