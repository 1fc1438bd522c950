// Interfaces that plugins offer to each other.
#pragma once

#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "host/http/gate.h"

namespace sallyport::host::plugins {

/// [any thread]
class ServiceDirectory {
public:
    /// @param gate of the plugin that provides it.
    /// @throws std::logic_error when another owner provides it.
    void add(std::string_view service, const void* owner, std::shared_ptr<http::Gate> gate,
             std::shared_ptr<void> provider);
    /// Takes back all that the owner provides. It needs no memory.
    void remove(const void* owner);
    /// Null when nobody provides it. While the pointer is held, it counts as a call into the plugin that
    /// provides it, so that this is not stopped under its user.
    [[nodiscard]] std::shared_ptr<void> find(std::string_view service) const;

private:
    struct Entry {
        const void* owner;
        std::shared_ptr<http::Gate> gate;
        std::shared_ptr<void> provider;
    };
    mutable std::shared_mutex mutex_;
    std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace sallyport::host::plugins
