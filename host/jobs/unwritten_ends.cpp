#include "host/jobs/unwritten_ends.h"

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

#include "host/jobs/schema.h"

namespace sallyport::host::jobs {

namespace {

constexpr const char* kind = "job";

/// Bytes of a message that are noted.
constexpr std::size_t longestMessage = 3800;

std::string_view beginningOf(std::string_view text) {
    std::size_t size = std::min(text.size(), longestMessage);
    while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) {
        --size;
    }
    return text.substr(0, size);
}

/// `<id> <state> <time> <success> <iterations>`, and behind a line break the message, if there is one.
std::string textOf(const JobId& job, const JobEnd& end) {
    std::string text = job.str() + " " + name(end.state) + " " + std::to_string(stored(end.at)) + " " +
                       (end.result.success ? "1" : "0") + " " + std::to_string(end.result.iterations);
    if (end.result.message) {
        text.append("\n").append(beginningOf(*end.result.message));
    }
    return text;
}

std::optional<std::pair<JobId, JobEnd>> endIn(const std::string& text) {
    std::istringstream words(text);
    std::string id;
    std::string stateName;
    std::int64_t at = 0;
    bool success = false;
    std::uint32_t iterations = 0;
    words >> id >> stateName >> at >> success >> iterations;
    const auto job = JobId::parse(id);
    const auto state = jobState(stateName);
    if (!words || !job || !state || !isOver(*state)) {
        return std::nullopt;
    }
    JobEnd end{
        *state, {.success = success, .iterations = iterations}, Timestamp(std::chrono::milliseconds(at))};
    if (const auto line = text.find('\n'); line != std::string::npos) {
        end.result.message = text.substr(line + 1);
    }
    return std::pair(*job, std::move(end));
}

}  // namespace

UnwrittenEnds::UnwrittenEnds(store::IntentLog* log) : log_(log) {
    if (log_ == nullptr) {
        return;
    }
    for (const auto& [place, text] : log_->notes(kind)) {
        if (auto noted = endIn(text)) {
            ends_.insert_or_assign(noted->first, Kept{std::move(noted->second), place});
        } else {
            log_->remove(place);
        }
    }
}

bool UnwrittenEnds::note(const JobId& job, JobEnd end) {
    const std::lock_guard lock(mutex_);
    const auto place = placeFor(job, end);
    if (place) {
        ends_.insert_or_assign(job, Kept{std::move(end), place});
    }
    return place.has_value();
}

void UnwrittenEnds::remember(const JobId& job, JobEnd end) {
    const std::lock_guard lock(mutex_);
    ends_.try_emplace(job, Kept{std::move(end), std::nullopt});
}

void UnwrittenEnds::noteRemembered() {
    const std::lock_guard lock(mutex_);
    for (auto& [job, kept] : ends_) {
        if (!kept.place) {
            kept.place = placeFor(job, kept.end);
        }
    }
}

std::optional<JobEnd> UnwrittenEnds::find(const JobId& job) const {
    const std::lock_guard lock(mutex_);
    const auto found = ends_.find(job);
    return found == ends_.end() ? std::nullopt : std::optional(found->second.end);
}

bool UnwrittenEnds::durable(const JobId& job) const {
    const std::lock_guard lock(mutex_);
    const auto found = ends_.find(job);
    return found == ends_.end() || found->second.place.has_value();
}

std::vector<std::pair<JobId, JobEnd>> UnwrittenEnds::all() const {
    std::vector<std::pair<JobId, JobEnd>> ends;
    const std::lock_guard lock(mutex_);
    ends.reserve(ends_.size());
    for (const auto& [job, kept] : ends_) {
        ends.emplace_back(job, kept.end);
    }
    return ends;
}

std::size_t UnwrittenEnds::size() const {
    const std::lock_guard lock(mutex_);
    return ends_.size();
}

void UnwrittenEnds::remove(const JobId& job) {
    const std::lock_guard lock(mutex_);
    const auto found = ends_.find(job);
    if (found == ends_.end()) {
        return;
    }
    if (found->second.place) {
        log_->remove(*found->second.place);
    }
    ends_.erase(found);
}

std::optional<store::IntentLog::Place> UnwrittenEnds::placeFor(const JobId& job, const JobEnd& end) {
    return log_ == nullptr ? std::nullopt : log_->add(kind, textOf(job, end));
}

}  // namespace sallyport::host::jobs
