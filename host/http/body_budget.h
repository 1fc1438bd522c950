// What requests may take of the memory before a handler has them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include <sallyport/caller.h>

namespace sallyport::host::http {

/// Bytes of requests held in memory, over all connections: their bodies, and what was received of the next
/// request. Neither door can take all of it, nor can a job take all that its door has. [any thread]
class BodyBudget {
public:
    /// What a job holds. It is kept with the job's lease.
    using Account = std::atomic<std::size_t>;

    /// @param limit bytes in all. @param leastPerJob what a job may hold however small its share would be,
    /// for
    ///        its largest body must be possible.
    explicit BodyBudget(std::size_t limit, std::size_t leastPerJob = 0);

    /// Bytes that one job may hold.
    [[nodiscard]] std::size_t perJob() const noexcept { return perJob_; }

    enum class Outcome {
        granted,
        neverFits,  ///< more than one request may hold, whatever else is held
        jobHasTooMuch,
        allTaken,  ///< of what the door may take
    };

    /// What one request holds, given back when this goes away. [one thread at a time]
    class Share {
    public:
        Share() = default;
        /// @param budget outlives this. @param job null while it is nobody's, and on the operator door.
        Share(BodyBudget& budget, Realm realm, std::shared_ptr<Account> job = nullptr)
            : budget_(&budget), realm_(realm), job_(std::move(job)) {}
        Share(Share&& other) noexcept { swap(other); }
        Share& operator=(Share&& other) noexcept {
            swap(other);
            return *this;
        }
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;
        ~Share() { release(); }

        /// Makes it `bytes` at least, in steps, so that what grows by little asks seldom. It stays as it is
        /// unless that is granted.
        [[nodiscard]] Outcome grow(std::size_t bytes);
        /// Gives everything back.
        void release() noexcept;

    private:
        void swap(Share& other) noexcept;

        BodyBudget* budget_ = nullptr;
        Realm realm_ = Realm::worker;
        std::shared_ptr<Account> job_;
        std::size_t bytes_ = 0;
    };

private:
    [[nodiscard]] Outcome take(Realm realm, Account* job, std::size_t bytes);
    void give(Realm realm, Account* job, std::size_t bytes) noexcept;

    const std::size_t limit_;
    const std::size_t perDoor_;
    const std::size_t perJob_;
    std::atomic<std::size_t> used_{0};
    std::array<std::atomic<std::size_t>, 2> doors_{};
};

}  // namespace sallyport::host::http
