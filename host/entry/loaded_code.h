// Which plugin an address belongs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "host/entry/entry.h"

namespace sallyport::host::entry {

/// Where a plugin's code is in memory, entered into a table for as long as this lives, so that a crash on one
/// of the plugin's own threads, which no Entry tells of, can be put down to it.
class LoadedCode {
public:
    /// @param handle of dlopen(3). When that cannot be examined, or the table is full, nothing is entered.
    LoadedCode(const Plugin& plugin, void* handle);
    ~LoadedCode();
    LoadedCode(const LoadedCode&) = delete;
    LoadedCode& operator=(const LoadedCode&) = delete;

    struct Owner {
        std::string_view plugin;
        std::string_view version;
    };
    /// Whose code is there. [any thread, signal handlers]
    [[nodiscard]] static std::optional<Owner> at(std::uintptr_t address) noexcept;

private:
    std::optional<std::size_t> slot_;
};

}  // namespace sallyport::host::entry
