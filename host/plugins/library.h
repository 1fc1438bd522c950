// One plugin's shared object: trusted, copied, opened.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include <sys/types.h>

#include <boost/dll/shared_library.hpp>

#include <sallyport/plugin.h>
#include <sallyport/plugin_name.h>

namespace sallyport::host::plugins {

/// A plugin that is not loaded, and why: one sentence for the operator.
class Refused : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What tells one state of a file from another.
struct FileStamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modifiedNs = 0;

    auto operator<=>(const FileStamp&) const = default;
};

/// An opened plugin. What is opened is a private copy of the file, made after the checks from the same open
/// descriptor: what was checked is what runs, and overwriting the file in place cannot change code under a
/// running plugin. Destroying it unloads the code and removes the copy.
class Library {
public:
    /// @param file       the plugin as the administrator installed it.
    /// @param workspace  a directory that only the daemon writes to.
    /// @throws Refused   not a regular file, writable by others, no plugin, another ABI.
    Library(const std::string& file, const std::string& workspace);
    ~Library();
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] const FileStamp& stamp() const noexcept { return stamp_; }
    [[nodiscard]] const PluginDescriptor& descriptor() const noexcept { return *descriptor_; }

private:
    void copyTrusted(const std::string& workspace);
    void readDescriptor();

    std::string file_;
    std::string copy_;
    FileStamp stamp_;
    boost::dll::shared_library library_;
    const PluginDescriptor* descriptor_ = nullptr;
};

/// The stamp of a file as it is now. @throws Refused if it cannot be looked at.
[[nodiscard]] FileStamp stampOf(const std::string& file);

/// @throws Refused unless the directory belongs to root or the daemon's user and nobody else may write to it.
void requireTrustedDirectory(const std::string& directory);

}  // namespace sallyport::host::plugins
