// One plugin's shared object: copied, opened.
#pragma once

#include <optional>
#include <string>

#include <boost/dll/shared_library.hpp>

#include <sallyport/plugin.h>
#include <sallyport/plugin_name.h>

#include "host/entry/entry.h"
#include "host/entry/loaded_code.h"
#include "host/plugins/plugin_file.h"
#include "host/plugins/private_copy.h"

namespace sallyport::host::plugins {

/// An opened plugin. What is opened is a private copy of the bytes that were checked, so that overwriting the
/// file in place cannot change code under a running plugin. Destroying it unloads the code and removes the
/// copy.
class Library {
public:
    /// @param file       as the administrator installed it.
    /// @param workspace  a directory that only the daemon writes to; nothing: the copy is in memory alone.
    /// @throws Refused   no plugin, another ABI: both before any of its code runs. It cannot be opened.
    Library(const PluginFile& file, const std::optional<std::string>& workspace);
    ~Library();
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] const FileStamp& stamp() const noexcept { return stamp_; }
    [[nodiscard]] const std::string& sha256() const noexcept { return sha256_; }
    [[nodiscard]] const PluginDescriptor& descriptor() const noexcept { return *descriptor_; }

private:
    std::string file_;
    FileStamp stamp_;
    std::string sha256_;
    std::optional<PrivateCopy> copy_;
    entry::Plugin owner_;  ///< its constructors and destructors at namespace scope are its code, too
    boost::dll::shared_library library_;
    std::optional<entry::LoadedCode> code_;  ///< while it is loaded
    const PluginDescriptor* descriptor_ = nullptr;
};

}  // namespace sallyport::host::plugins
