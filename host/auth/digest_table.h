// What is found by the digest of a secret that was handed out for an operator token.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "host/auth/token.h"

namespace sallyport::host::auth {

/// Values by digest, each belonging to an operator token. There are only so many, of one token and in all:
/// the oldest gives way to a newcomer. Whoever has it guards it.
template <class T>
class DigestTable {
public:
    struct Bounds {
        std::size_t perToken = 0;
        std::size_t total = 0;
    };

    explicit DigestTable(const Bounds& bounds) : bounds_(bounds) {}

    /// @return what had to give way.
    std::vector<T> add(const Digest& digest, std::int64_t token, T value) {
        std::vector<T> gone;
        const auto ofToken = static_cast<std::size_t>(
            std::count_if(entries_.begin(), entries_.end(),
                          [token](const auto& entry) { return entry.second.token == token; }));
        if (ofToken >= bounds_.perToken) {
            gone.push_back(takeOldest([token](const Entry& entry) { return entry.token == token; }));
        } else if (entries_.size() >= bounds_.total) {
            gone.push_back(takeOldest([](const Entry&) { return true; }));
        }
        entries_.insert_or_assign(digest, Entry{token, ++added_, std::move(value)});
        return gone;
    }

    /// Null if there is none. Good until the next change.
    [[nodiscard]] const T* find(const Digest& digest) const {
        const auto found = entries_.find(digest);
        return found == entries_.end() ? nullptr : &found->second.value;
    }

    /// Takes it out.
    std::optional<T> take(const Digest& digest) {
        const auto found = entries_.find(digest);
        if (found == entries_.end()) {
            return std::nullopt;
        }
        auto value = std::move(found->second.value);
        entries_.erase(found);
        return value;
    }

    /// Takes out all of which that is true.
    template <class Predicate>
    std::vector<T> takeThose(Predicate wanted) {
        std::vector<T> taken;
        for (auto entry = entries_.begin(); entry != entries_.end();) {
            if (wanted(std::as_const(entry->second.value))) {
                taken.push_back(std::move(entry->second.value));
                entry = entries_.erase(entry);
            } else {
                ++entry;
            }
        }
        return taken;
    }

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

private:
    struct Entry {
        std::int64_t token = 0;
        std::uint64_t number = 0;  ///< in the order of coming
        T value;
    };

    /// Of those that are `wanted`, of which there is one.
    template <class Predicate>
    T takeOldest(Predicate wanted) {
        auto oldest = entries_.end();
        for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
            if (wanted(entry->second) &&
                (oldest == entries_.end() || entry->second.number < oldest->second.number)) {
                oldest = entry;
            }
        }
        T value = std::move(oldest->second.value);
        entries_.erase(oldest);
        return value;
    }

    const Bounds bounds_;
    std::uint64_t added_ = 0;
    std::unordered_map<Digest, Entry, DigestHash, DigestEqual> entries_;
};

}  // namespace sallyport::host::auth
