// How a job's state may change. Nothing else decides it.
#pragma once

#include <algorithm>
#include <array>

#include <sallyport/jobs.h>

namespace sallyport::host::jobs {

struct Transition {
    JobState from;
    JobState to;
};

inline constexpr std::array transitions{
    Transition{JobState::pending, JobState::running},     Transition{JobState::pending, JobState::completed},
    Transition{JobState::pending, JobState::failed},      Transition{JobState::pending, JobState::cancelled},
    Transition{JobState::pending, JobState::interrupted}, Transition{JobState::running, JobState::completed},
    Transition{JobState::running, JobState::failed},      Transition{JobState::running, JobState::cancelled},
    Transition{JobState::running, JobState::interrupted},
};

/// Every state, in the order in which they are counted and shown.
inline constexpr std::array states{JobState::pending, JobState::running,   JobState::completed,
                                   JobState::failed,  JobState::cancelled, JobState::interrupted};

[[nodiscard]] constexpr bool mayChange(JobState from, JobState to) {
    return std::ranges::any_of(transitions,
                               [&](const Transition& each) { return each.from == from && each.to == to; });
}

}  // namespace sallyport::host::jobs
