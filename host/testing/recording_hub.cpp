#include <algorithm>
#include <utility>

#include <sallyport/testing/recording_hub.h>

namespace sallyport::testing {

void RecordingHub::advanceTo(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    last_ = std::max(last_, id);
}

void RecordingHub::publish(LiveEvent event) {
    const std::lock_guard lock(mutex_);
    last_ = std::max(last_, event.id);
    published_.push_back(std::move(event));
}

void RecordingHub::forget() {
    const std::lock_guard lock(mutex_);
    last_ = 0;
    published_.clear();
}

std::uint64_t RecordingHub::last() const {
    const std::lock_guard lock(mutex_);
    return last_;
}

std::vector<LiveEvent> RecordingHub::published() const {
    const std::lock_guard lock(mutex_);
    return published_;
}

}  // namespace sallyport::testing
