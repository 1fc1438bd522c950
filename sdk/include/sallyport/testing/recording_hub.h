// An event hub that a test can look into.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include <sallyport/events.h>

namespace sallyport::testing {

/// Keeps what is published, and has as many subscribers as the test says. [any thread]
class RecordingHub final : public EventHub {
public:
    void advanceTo(std::uint64_t id) override;
    void publish(LiveEvent event) override;
    [[nodiscard]] std::size_t subscribers() const override { return subscribers_; }

    /// What `subscribers` tells from now on; 0 at first.
    void setSubscribers(std::size_t count) { subscribers_ = count; }
    /// As after a restart of the daemon: nothing is published, and no event's number known.
    void forget();
    /// The greatest number of an event that was published or advanced to.
    [[nodiscard]] std::uint64_t last() const;
    /// All that was published, the oldest first.
    [[nodiscard]] std::vector<LiveEvent> published() const;

private:
    std::atomic<std::size_t> subscribers_{0};
    mutable std::mutex mutex_;
    std::uint64_t last_ = 0;
    std::vector<LiveEvent> published_;
};

}  // namespace sallyport::testing
