#include <algorithm>

#include <sallyport/testing/recording_log.h>

namespace sallyport::testing {

void RecordingLog::write(LogLevel level, std::string_view message, Fields fields) {
    const std::lock_guard lock(mutex_);
    lines_.push_back({level, std::string(message), fields});
}

std::size_t RecordingLog::count(LogLevel least) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(),
                                                  [least](const Line& line) { return line.level >= least; }));
}

std::vector<RecordingLog::Line> RecordingLog::lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
}

}  // namespace sallyport::testing
