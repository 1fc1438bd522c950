// The extensions that a plugin finds at its host.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

namespace sallyport::host::plugins {

/// What Host::extension looks in. Filled before the plugin starts. [any thread, after that]
class Extensions {
public:
    /// @param extension outlives this. E is the interface by which plugins ask for it.
    template <class E>
    void add(E& extension) {
        entries_[E::extensionName] = {E::extensionVersion, &extension};
    }

    /// An object of that interface, as a `void*` that was an E*; null for one that is not there, or older.
    [[nodiscard]] void* find(std::string_view name, std::uint32_t version) const {
        const auto entry = entries_.find(name);
        return entry != entries_.end() && version <= entry->second.version ? entry->second.extension
                                                                           : nullptr;
    }

private:
    struct Entry {
        std::uint32_t version = 0;
        void* extension = nullptr;
    };

    std::map<std::string_view, Entry> entries_;  ///< by name
};

}  // namespace sallyport::host::plugins
