// What request bodies may take of the memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace sallyport::host::http {

/// Bytes of request bodies held in memory, over all connections. [any thread]
class BodyBudget {
public:
    explicit BodyBudget(std::size_t limit) : limit_(limit) {}

    /// What one request has of the budget, given back when it goes away. [one thread at a time]
    class Share {
    public:
        Share() = default;
        /// @param budget outlives the share.
        explicit Share(BodyBudget& budget) : budget_(&budget) {}
        Share(Share&& other) noexcept
            : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
        Share& operator=(Share&& other) noexcept {
            std::swap(budget_, other.budget_);
            std::swap(bytes_, other.bytes_);
            return *this;
        }
        ~Share() {
            if (budget_ != nullptr)
                budget_->used_ -= bytes_;
        }

        /// Makes it `bytes` at least, in steps, so that a body that grows asks seldom.
        /// @return false when so much is not left; then it stays as it is.
        [[nodiscard]] bool grow(std::size_t bytes) {
            if (bytes <= bytes_ || budget_ == nullptr)
                return true;
            const auto wanted = (bytes / step + 1) * step;
            if (!budget_->take(wanted - bytes_))
                return false;
            bytes_ = wanted;
            return true;
        }

    private:
        static constexpr std::size_t step = std::size_t{64} * 1024;

        BodyBudget* budget_ = nullptr;
        std::size_t bytes_ = 0;
    };

private:
    [[nodiscard]] bool take(std::size_t bytes) {
        if (used_.fetch_add(bytes) + bytes <= limit_)
            return true;
        used_ -= bytes;
        return false;
    }

    const std::size_t limit_;
    std::atomic<std::size_t> used_{0};
};

}  // namespace sallyport::host::http
