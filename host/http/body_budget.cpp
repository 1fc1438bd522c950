#include "host/http/body_budget.h"

#include <algorithm>

namespace sallyport::host::http {

namespace {

constexpr std::size_t step = std::size_t{4} * 1024;

/// A quarter is left to the other door, and of what a door has, two thirds to other jobs.
constexpr std::size_t doorsPart(std::size_t limit) {
    return limit - limit / 4;
}
constexpr std::size_t jobsPart(std::size_t limit) {
    return limit / 4;
}

bool takeFrom(BodyBudget::Account& used, std::size_t bytes, std::size_t limit) {
    if (used.fetch_add(bytes) + bytes <= limit) {
        return true;
    }
    used -= bytes;
    return false;
}

}  // namespace

BodyBudget::BodyBudget(std::size_t limit, std::size_t leastPerJob)
    : limit_(limit),
      perDoor_(doorsPart(limit)),
      perJob_(std::min(std::max(jobsPart(limit), leastPerJob), doorsPart(limit))) {}

BodyBudget::Outcome BodyBudget::take(Realm realm, Account* job, std::size_t bytes) {
    if (job != nullptr && !takeFrom(*job, bytes, perJob_)) {
        return Outcome::jobHasTooMuch;
    }
    auto& door = doors_.at(static_cast<std::size_t>(realm));
    if (takeFrom(door, bytes, perDoor_)) {
        if (takeFrom(used_, bytes, limit_)) {
            return Outcome::granted;
        }
        door -= bytes;
    }
    if (job != nullptr) {
        *job -= bytes;
    }
    return Outcome::allTaken;
}

void BodyBudget::give(Realm realm, Account* job, std::size_t bytes) noexcept {
    used_ -= bytes;
    doors_[static_cast<std::size_t>(realm)] -= bytes;
    if (job != nullptr) {
        *job -= bytes;
    }
}

BodyBudget::Outcome BodyBudget::Share::grow(std::size_t bytes) {
    if (bytes <= bytes_ || budget_ == nullptr) {
        return Outcome::granted;
    }
    if (bytes > (job_ ? budget_->perJob_ : budget_->perDoor_)) {
        return Outcome::neverFits;
    }
    const auto wanted = (bytes + step - 1) / step * step;
    const auto outcome = budget_->take(realm_, job_.get(), wanted - bytes_);
    if (outcome == Outcome::granted) {
        bytes_ = wanted;
    }
    return outcome;
}

void BodyBudget::Share::release() noexcept {
    if (bytes_ != 0) {
        budget_->give(realm_, job_.get(), std::exchange(bytes_, 0));
    }
}

void BodyBudget::Share::swap(Share& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(realm_, other.realm_);
    std::swap(job_, other.job_);
    std::swap(bytes_, other.bytes_);
}

}  // namespace sallyport::host::http
