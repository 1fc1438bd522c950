// The registry's writes on their way.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>

#include <sallyport/store.h>

namespace sallyport::host::jobs {

/// Queues writes, and counts those whose outcome is not known yet. [any thread]
class Writes {
public:
    /// @param store outlives this.
    explicit Writes(Store& store) : store_(store) {}
    /// Waits for the outcome of all that were queued.
    ~Writes();
    Writes(const Writes&) = delete;
    Writes& operator=(const Writes&) = delete;

    /// As Store::submit.
    void submit(Store::Work work, Store::Done done);

    /// Queues a write and waits until `then`, which follows it on the store's thread once it is durable, has
    /// returned. Whatever is written later by the host finds both done.
    /// @throws StoreError, std::logic_error on the store's own thread
    void writeThen(Store::Work work, std::function<void()> then);

private:
    class End;

    void ended();

    Store& store_;
    std::mutex mutex_;
    std::condition_variable none_;
    std::size_t pending_ = 0;
};

}  // namespace sallyport::host::jobs
