#include "host/cli/event_display.h"

#include <algorithm>
#include <utility>

#include <sallyport/jobs.h>

namespace sallyport::host::cli {

namespace {

/// Events of one page of the history.
constexpr std::size_t pageSize = 200;

/// Whether the daemon may answer otherwise in a moment: while it starts, and when it has too much to do.
bool isPassing(int status) {
    return status >= 500 || status == 429;
}

bool isEnd(const std::string& state) {
    const std::optional<JobState> known = jobState(state);
    return known && isOver(*known);
}

}  // namespace

ExitCode EventDisplay::run() {
    begin();
    if (options_.follow && !done()) {
        follow();
    }
    if (interruption_.requested()) {
        err_.line(
            {{"Stopped watching; the job goes on. To go on from here: --since " + std::to_string(last_)}});
        return ExitCode::interrupted;
    }
    return endState_.empty() || endState_ == "completed" ? ExitCode::ok : ExitCode::jobNotCompleted;
}

/// Shows the history and how the job stands.
void EventDisplay::begin() {
    while (!done()) {
        const auto problem = attempt([this] {
            const Client client = connect_();
            catchUp(client);
            endIfOver(client);
        });
        if (!problem || pause(*problem)) {
            return;
        }
    }
}

void EventDisplay::follow() {
    while (!done()) {
        const auto problem = attempt([this] { followOnce(connect_()); });
        if (!done() && pause(problem.value_or("the daemon closed the connection"))) {
            return;
        }
    }
}

/// Talks to the daemon. @return what went wrong and may go right in a moment; nothing when it went well.
/// @throws Failure for all else, and for everything before the daemon has answered once.
std::optional<std::string> EventDisplay::attempt(const std::function<void()>& talk) {
    try {
        talk();
        return std::nullopt;
    } catch (const Unreachable& problem) {
        if (!reached_ || !options_.follow) {
            throw;
        }
        return problem.what();
    } catch (const Refused& problem) {
        if (!reached_ || !options_.follow || !isPassing(problem.status())) {
            throw;
        }
        return problem.what();
    }
}

/// One connection, from its opening to its end. What came between the history and the subscription is
/// sent by the daemon first, because the stream resumes after the last event shown.
void EventDisplay::followOnce(const Client& client) {
    EventStream stream =
        client.follow(Target("/api/events").query("job_id", job_.str()), last_, options_.idle);
    const Interruption::Guard guard(interruption_, stream.descriptor());
    // Who ended while nobody listened told it to nobody.
    endIfOver(client);
    while (!done()) {
        const std::optional<SseEvent> event = stream.next();
        if (!event) {
            return;
        }
        pause_ = {};
        take(fromStream(*event), client);
    }
}

void EventDisplay::take(const JobEvent& event, const Client& client) {
    if (event.id) {
        if (*event.id <= last_) {
            return;
        }
        present(event);
        last_ = *event.id;
        if (event.type == "job_result") {
            endIfOver(client);
        }
        return;
    }
    if (event.type == "job_state") {
        endIfOver(client);
    }
}

/// Shows what is stored and was not shown yet.
void EventDisplay::catchUp(const Client& client) {
    std::size_t limit = pageSize;
    while (!interruption_.requested() && !out_.failed()) {
        try {
            if (!showPage(client, limit)) {
                return;
            }
        } catch (const AnswerTooLong&) {
            if (limit == 1) {
                throw;
            }
            limit = 1;
        }
    }
}

/// Shows the next events of the history; tells whether there were any.
bool EventDisplay::showPage(const Client& client, std::size_t limit) {
    const Answer page = client.get(Target("/api/jobs")
                                       .segment(job_.str())
                                       .segment("events")
                                       .query("after", std::to_string(last_))
                                       .query("limit", std::to_string(limit)));
    reached_ = true;
    const std::vector<json::Value> events = elementsOf(page.object(), "events");
    for (const json::Value& stored : events) {
        const JobEvent event = fromHistory(job_, stored);
        present(event);
        last_ = std::max(last_, *event.id);
    }
    return !events.empty();
}

/// Reads how the job stands. When it is over, what is left of its events is shown before its end.
void EventDisplay::endIfOver(const Client& client) {
    const Answer job = client.get(Target("/api/jobs").segment(job_.str()));
    const std::string state = textOf(job.object(), "state");
    if (isEnd(state)) {
        catchUp(client);
        endState_ = state;
    }
    if (state != std::exchange(shownState_, state)) {
        present(stateEvent(job_, state));
    }
}

void EventDisplay::present(const JobEvent& event) {
    if (options_.json) {
        out_.json(jsonLine(event));
    } else {
        show(event, out_);
    }
    out_.flush();
}

/// Waits before the next attempt, longer each time. Tells whether to stop instead.
bool EventDisplay::pause(const std::string& why) {
    if (pause_.count() == 0) {
        err_.line({{"Lost the connection, trying again: " + why, Style::yellow}});
        pause_ = options_.firstPause;
    } else {
        pause_ = std::min(pause_ * 2, options_.longestPause);
    }
    return interruption_.sleep(pause_);
}

bool EventDisplay::done() const {
    return !endState_.empty() || interruption_.requested() || out_.failed();
}

}  // namespace sallyport::host::cli
