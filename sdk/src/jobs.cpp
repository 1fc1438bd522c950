#include <sallyport/jobs.h>

namespace sallyport {

namespace {

constexpr JobState states[] = {JobState::pending, JobState::running,   JobState::completed,
                               JobState::failed,  JobState::cancelled, JobState::interrupted};
constexpr JobMode modes[] = {JobMode::worker, JobMode::claudeCode, JobMode::acp};

}  // namespace

const char* name(JobState state) {
    switch (state) {
        case JobState::pending:
            return "pending";
        case JobState::running:
            return "running";
        case JobState::completed:
            return "completed";
        case JobState::failed:
            return "failed";
        case JobState::cancelled:
            return "cancelled";
        case JobState::interrupted:
            return "interrupted";
    }
    return "pending";
}

std::optional<JobState> jobState(std::string_view text) {
    for (const JobState state : states) {
        if (text == name(state)) {
            return state;
        }
    }
    return std::nullopt;
}

bool isOver(JobState state) {
    return state != JobState::pending && state != JobState::running;
}

const char* name(JobMode mode) {
    switch (mode) {
        case JobMode::worker:
            return "worker";
        case JobMode::claudeCode:
            return "claude_code";
        case JobMode::acp:
            return "acp";
    }
    return "unknown";
}

std::optional<JobMode> jobMode(std::string_view text) {
    for (const JobMode mode : modes) {
        if (text == name(mode)) {
            return mode;
        }
    }
    return std::nullopt;
}

}  // namespace sallyport
