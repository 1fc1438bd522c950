// What workers are told about their jobs, kept at hand.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include <sallyport/job_id.h>

namespace sallyport::plugins {

/// The answers to `GET /job`, a cache of the registry: they never change while a job lives. Those that were
/// asked for longest ago give way to others. [any thread]
class DescriptionCache {
public:
    /// Bytes of the largest answer that is kept: a copy of it is made within microseconds.
    static constexpr std::size_t largest = std::size_t{64} * 1024;

    /// @param capacity bytes of all answers together.
    explicit DescriptionCache(std::size_t capacity) : capacity_(capacity) {}

    /// Nothing when it is not at hand.
    [[nodiscard]] std::optional<std::string> find(const JobId& job);

    /// Keeps the answer, unless it is too large for that.
    void keep(const JobId& job, const std::string& answer);

    /// For a job that is over.
    void forget(const JobId& job);

    /// Bytes of all answers that are kept.
    [[nodiscard]] std::size_t size() const;

private:
    struct Entry {
        JobId job;
        std::string answer;
    };
    using Entries = std::list<Entry>;

    void erase(Entries::iterator entry);

    const std::size_t capacity_;
    mutable std::mutex mutex_;
    Entries entries_;  ///< the one that was asked for last comes first
    std::unordered_map<JobId, Entries::iterator> places_;
    std::size_t size_ = 0;
};

}  // namespace sallyport::plugins
