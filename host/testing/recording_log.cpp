#include <algorithm>

#include <sallyport/testing/recording_log.h>

namespace sallyport::testing {

std::string RecordingLog::Line::text() const {
    std::string text = message;
    for (const LogField& field : fields) {
        text.append(" ").append(field.name).append("=").append(field.value);
    }
    return text;
}

void RecordingLog::write(LogLevel level, std::string_view message, Fields fields) {
    const std::lock_guard lock(mutex_);
    lines_.push_back({level, std::string(message), fields});
}

std::size_t RecordingLog::count(LogLevel least) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(),
                                                  [least](const Line& line) { return line.level >= least; }));
}

std::size_t RecordingLog::count(std::string_view part) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(), [part](const Line& line) {
        return line.text().find(part) != std::string::npos;
    }));
}

std::string RecordingLog::text() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const Line& line : lines_) {
        text.append(line.text()).append("\n");
    }
    return text;
}

std::vector<RecordingLog::Line> RecordingLog::lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
}

}  // namespace sallyport::testing
