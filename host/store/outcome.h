// What became of a write, for the thread that waits for it.
#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace sallyport::host::store {

/// Whether this thread is a store's.
inline thread_local bool isStoreThread = false;

/// Hands the outcome of one write from the store's thread to the one that waits. Share it between both:
/// the waiting thread may go on while the other is still in `set`.
///
/// Not std::promise, which leaves it open on which of the threads the exception dies.
class Outcome {
public:
    /// To be made before the write is queued, by the thread that is to wait for it.
    /// @throws std::logic_error on a store's thread, which would wait for itself
    Outcome() {
        if (isStoreThread) {
            throw std::logic_error(
                "a write was to be awaited on the store's own thread, which does it: use Store::submit or "
                "Host::run");
        }
    }
    Outcome(const Outcome&) = delete;
    Outcome& operator=(const Outcome&) = delete;

    /// @param error null for success. Pass on the only reference.
    void set(std::exception_ptr error) {
        const std::lock_guard lock(mutex_);
        error_ = std::move(error);
        known_ = true;
        changed_.notify_one();
    }

    /// Returns once `set` was called. Once only. @throws the error that it was called with.
    void await() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return known_; });
        if (error_) {
            std::rethrow_exception(std::exchange(error_, nullptr));
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool known_ = false;
    std::exception_ptr error_;
};

}  // namespace sallyport::host::store
