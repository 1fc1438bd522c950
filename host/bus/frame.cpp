#include "host/bus/frame.h"

#include <algorithm>
#include <utility>

namespace sallyport::host::bus {

namespace {

/// What an entry in a subscriber's queue takes, about.
constexpr std::size_t entry = 256;

std::string textOf(const LiveEvent& event) {
    std::string text;
    text.reserve(event.type.size() + event.data.size() + 48);
    if (event.id != 0) {
        text.append("id: ").append(std::to_string(event.id)).append("\n");
    }
    text.append("event: ").append(event.type).append("\ndata: ").append(event.data).append("\n\n");
    return text;
}

std::size_t bytesOf(const LiveEvent& event) {
    return sizeof(Frame) + event.type.size() + event.data.size();
}

}  // namespace

FramePtr FrameMemory::make(const LiveEvent& event) {
    return make(event, false);
}

FramePtr FrameMemory::makeWithinLimit(const LiveEvent& event) {
    const auto used = used_.load();
    // One that is larger than all there is must get through nevertheless, alone.
    return make(event, used > 0 && used + bytesOf(event) > limit_);
}

FramePtr FrameMemory::make(const LiveEvent& event, bool lost) {
    const auto bytes = lost ? sizeof(Frame) : bytesOf(event);
    auto frame = std::make_unique<Frame>(
        Frame{event.id, event.user, event.job, lost ? std::string() : textOf(event), ++sequence_});
    used_ += bytes;
    return {frame.release(), [this, bytes](const Frame* made) {
                delete made;  // NOLINT(cppcoreguidelines-owning-memory)
                give(bytes);
            }};
}

std::size_t FrameMemory::takeFor(const Frame& frame) {
    const auto bytes = entry + (frame.text.size() > copied ? 0 : frame.text.size());
    used_ += bytes;
    return bytes;
}

void FrameMemory::fellBehind(std::uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    ++behind_[sequence];
}

void FrameMemory::caughtUp(std::uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    const auto found = behind_.find(sequence);
    if (--found->second == 0) {
        behind_.erase(found);
    }
}

std::uint64_t FrameMemory::slowest() const {
    const std::lock_guard lock(mutex_);
    if (behind_.empty()) {
        return 0;
    }
    // Of those who are behind, the half that is further behind.
    const auto first = behind_.begin()->first;
    return first + (behind_.rbegin()->first - first) / 2;
}

}  // namespace sallyport::host::bus
