// A plugin's file, as it was when it was read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "host/plugins/refused.h"
#include "host/trust/trust.h"

namespace sallyport::host::plugins {

/// What tells one state of a file from another.
struct FileStamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modifiedNs = 0;

    auto operator<=>(const FileStamp&) const = default;
};

/// The stamp of a file as it is now. @throws Refused if it cannot be looked at.
[[nodiscard]] FileStamp stampOf(const std::string& file);

/// A file that was read once, whole. What is checked and what is loaded are these bytes, whatever becomes of
/// the file.
struct PluginFile {
    std::string path;
    FileStamp stamp;
    std::shared_ptr<const std::string> bytes;
    std::string sha256;  ///< of the bytes, in lower-case hex as sha256sum writes it
};

/// @param trust nothing when the file is only looked at, and nobody needs to trust it.
/// @throws Refused if it is no regular file, cannot be read or trusted, or somebody writes to it meanwhile.
[[nodiscard]] PluginFile readPluginFile(const std::string& file, const std::optional<trust::Trust>& trust);

/// The plugin files of a directory, by name: `*.so`, but for those whose name begins with a dot, as programs
/// that copy call what is not complete. @throws Refused if it cannot be read or trusted.
[[nodiscard]] std::vector<std::string> pluginFilesIn(const std::string& directory, const trust::Trust& trust);

/// Whether a file of that name in a plugin directory is taken for a plugin.
[[nodiscard]] bool isPluginFileName(const std::string& name);

}  // namespace sallyport::host::plugins
