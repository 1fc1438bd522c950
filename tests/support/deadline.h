// How long a test waits for something that must happen before it fails.
#pragma once

#include <chrono>
#include <stdexcept>

namespace sallyport::tests {

/// Something that must have happened did not within the failure limit.
class TimedOut : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Generous: it only ends a test that has failed anyway. Longer where sanitizers slow everything down.
[[nodiscard]] std::chrono::milliseconds failureLimit();

/// A point in time after which waiting is given up.
class Deadline {
public:
    explicit Deadline(std::chrono::milliseconds limit = failureLimit());

    /// What is left, as poll() takes it. Never negative.
    [[nodiscard]] int pollTimeout() const;

    /// Waits until `descriptor` has one of `events`. @throws TimedOut naming `what`.
    void await(int descriptor, short events, const char* what) const;

private:
    std::chrono::steady_clock::time_point end_;
};

}  // namespace sallyport::tests
