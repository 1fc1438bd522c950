// A plugin's bytes, put where they can be opened and nobody can change them.
#pragma once

#include <string>
#include <utility>

#include <sallyport/file_descriptor.h>

namespace sallyport::host::plugins {

/// A copy that goes with its object.
class PrivateCopy {
public:
    /// A file in a directory that only the daemon writes to. @param file whose copy it is, for its name.
    /// @throws Postponed if it cannot be written.
    [[nodiscard]] static PrivateCopy inDirectory(const std::string& bytes, const std::string& file,
                                                 const std::string& directory);
    /// In memory alone. @throws Postponed if there is none to be had.
    [[nodiscard]] static PrivateCopy inMemory(const std::string& bytes, const std::string& file);

    PrivateCopy(PrivateCopy&& other) noexcept;
    ~PrivateCopy();
    PrivateCopy(const PrivateCopy&) = delete;
    PrivateCopy& operator=(const PrivateCopy&) = delete;

    /// For dlopen(3).
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    PrivateCopy(std::string path, FileDescriptor memory)
        : path_(std::move(path)), memory_(std::move(memory)) {}

    std::string path_;  ///< empty once it has been moved from
    FileDescriptor memory_;
};

}  // namespace sallyport::host::plugins
