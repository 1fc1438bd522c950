// Live events and those who follow them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/job_id.h>

namespace sallyport {

/// One event as subscribers receive it: `id:`, `event:` and `data:` of a Server-Sent Event
/// (WHATWG HTML, section 9.2).
struct LiveEvent {
    std::uint64_t id = 0;  ///< its number; 0 for one that is not stored and cannot be resumed after
    std::string user;      ///< who may see it: the owner of the job
    JobId job;             ///< what it is about
    std::string type;      ///< broadcast type, such as `job_message`
    std::string data;      ///< one JSON object on one line
};

/// Some of the events that are stored, lowest number first.
struct StoredEvents {
    std::vector<LiveEvent> events;  ///< rising numbers
    bool more = false;              ///< whether there were further ones when this was read
};

/// Reads stored events with numbers above `after`, of the same user and job as the subscription: as many at
/// once as is reasonable to hold in memory, at least one if there are any. Called on a pool thread; may
/// block.
using Replay = std::function<StoredEvents(std::uint64_t after)>;

/// What a subscriber wants to see.
struct Subscription {
    std::string user;                    ///< only events of this user's jobs
    std::optional<JobId> job;            ///< only this job's, when set
    std::optional<std::uint64_t> after;  ///< resume after this event; from now on, when not set
    Replay replay;                       ///< where what was missed is read
};

/// Fans events out to subscribers. The connections are the host's; a subscriber costs a file
/// descriptor and a bounded buffer (`sse.buffer`) and no thread, and one that does not keep up is
/// cut off.
class EventHub {
public:
    virtual ~EventHub() = default;

    /// Tells the hub the number of the last event stored: at start, and for events that are not published
    /// because nobody subscribes. A subscription that names no event begins after it. [any thread]
    virtual void advanceTo(std::uint64_t id) = 0;

    /// Hands an event to those who may see it, never blocking. Numbered events must be published after
    /// they are durable and in the order of their numbers, which a call from Store::submit's `done`
    /// ensures. [any thread]
    virtual void publish(LiveEvent event) = 0;

    /// Subscribers at this moment.
    [[nodiscard]] virtual std::size_t subscribers() const = 0;
};

}  // namespace sallyport
