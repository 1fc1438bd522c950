// The hub behind live events: from the one who publishes to the loops that hold subscribers.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <sallyport/events.h>

#include "host/bus/frame.h"

namespace sallyport::host::bus {

/// Keeps count and passes frames on; the subscribers themselves are in each loop's Fanout. It outlives the
/// loops. [any thread]
class LiveHub final : public EventHub {
public:
    /// Hands a frame to one loop without blocking, keeping the order of calls.
    using Outlet = std::function<void(FramePtr)>;

    /// @param memory bytes of events on their way (`sse.memory`).
    explicit LiveHub(std::size_t memory) : memory_(memory) {}

    /// @param outlet is called by every publish. [before any publish]
    void addOutlet(Outlet outlet) { outlets_.push_back(std::move(outlet)); }

    void advanceTo(std::uint64_t id) override;
    void publish(LiveEvent event) override;
    [[nodiscard]] std::size_t subscribers() const override { return subscribers_; }

    /// The newest number that has been published or stored.
    [[nodiscard]] std::uint64_t last() const { return last_; }

    /// A subscriber to a user's events came or went. It counts before its first read of what is stored: a
    /// publisher that may leave out what nobody listens to relies on that.
    void joined(const std::string& user);
    void left(const std::string& user);

    [[nodiscard]] FrameMemory& memory() noexcept { return memory_; }

private:
    [[nodiscard]] bool isFollowed(const std::string& user) const;

    FrameMemory memory_;
    std::vector<Outlet> outlets_;
    std::atomic<std::uint64_t> last_{0};
    std::atomic<std::size_t> subscribers_{0};
    mutable std::mutex mutex_;
    std::unordered_map<std::string, std::size_t> followers_;  ///< subscribers by user
};

}  // namespace sallyport::host::bus
