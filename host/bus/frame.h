// Events as they go over the wire, and the memory that they take.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <sallyport/events.h>

namespace sallyport::host::bus {

/// An event's text, made once for all who see it.
struct Frame {
    std::uint64_t id;
    std::string user;
    JobId job;
    std::string text;        ///< the Server-Sent Event with its closing empty line; empty: see `lost`
    std::uint64_t sequence;  ///< in the order of making; never 0

    /// There was no memory for the text: who is to see it must be cut off, and read it when it comes back.
    [[nodiscard]] bool lost() const noexcept { return text.empty(); }
};

using FramePtr = std::shared_ptr<const Frame>;

/// Counts what subscribers of all loops have not taken yet: each frame once, however many share it, and what
/// each of them needs beside. Says who is slowest, so that memory can be had from them. It outlives its
/// frames. [any thread]
class FrameMemory {
public:
    /// A frame up to this size costs those who have not taken it a copy each, being smaller than the means
    /// to share it.
    static constexpr std::size_t copied = 1024;

    /// @param limit bytes (`sse.memory`).
    explicit FrameMemory(std::size_t limit) : limit_(limit) {}

    /// An event's text: `id:` when numbered, `event:` and `data:`.
    [[nodiscard]] FramePtr make(const LiveEvent& event);
    /// The same, or one that is lost when there is no room for it.
    [[nodiscard]] FramePtr makeWithinLimit(const LiveEvent& event);

    /// Counts what a subscriber needs for a frame that it has not taken yet. @return the bytes to `give`
    /// back.
    [[nodiscard]] std::size_t takeFor(const Frame& frame);
    void give(std::size_t bytes) { used_ -= bytes; }

    [[nodiscard]] std::size_t used() const noexcept { return used_; }
    /// Whether it is time to cut off the slowest.
    [[nodiscard]] bool isShort() const noexcept { return used_ > limit_ / 4 * 3; }

    /// A subscriber has not taken that frame, having taken all before it.
    void fellBehind(std::uint64_t sequence);
    /// A subscriber that fell behind with that frame has taken everything, or is being cut off.
    void caughtUp(std::uint64_t sequence);
    /// Whoever fell behind with that frame or an earlier one is among the slowest; 0 when nobody has.
    [[nodiscard]] std::uint64_t slowest() const;

private:
    [[nodiscard]] FramePtr make(const LiveEvent& event, bool lost);

    const std::size_t limit_;
    std::atomic<std::size_t> used_{0};
    std::atomic<std::uint64_t> sequence_{0};
    mutable std::mutex mutex_;
    std::map<std::uint64_t, std::size_t> behind_;  ///< subscribers by the frame they fell behind with
};

}  // namespace sallyport::host::bus
