#include "events_plugin.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <sallyport/errors.h>
#include <sallyport/json_writer.h>
#include <sallyport/user_id.h>

#include "broadcast.h"
#include "event_id.h"

namespace sallyport::plugins {

namespace {

constexpr std::size_t maxTypeLength = 256;  // bytes
constexpr std::int64_t maxHistory = 1000;
constexpr std::int64_t defaultHistory = 100;
constexpr std::size_t historyBytes = std::size_t{8} * 1024 * 1024;
constexpr std::size_t replayedAtOnce = 256;
constexpr std::size_t replayedBytesAtOnce = std::size_t{256} * 1024;

std::string readType(const json::Object& body) {
    std::string type = body.string("event_type");
    if (type.size() > maxTypeLength) {
        throw invalidField("event_type", "must have at most " + std::to_string(maxTypeLength) + " bytes");
    }
    return type;
}

/// The number of an event in a request; nothing when it was left out.
std::optional<std::uint64_t> resumeAfter(const Call& call) {
    // A browser that reconnects sends the header, and the address it began with.
    std::optional<std::string> text;
    if (const auto header = call.header("last-event-id")) {
        text = *header;
    } else {
        text = call.query("last_event_id");
    }
    if (!text) {
        return std::nullopt;
    }
    const auto id = eventId(*text);
    if (!id) {
        throw badRequest("the last event's id must be a number that this server sent");
    }
    return id;
}

/// Stored data was accepted when it came, whatever the limits are now.
LiveEvent liveEvent(const ReportedEvent& event, const std::string& user) {
    Broadcast shown = broadcastOf(event.job, event.type, json::Value::parse(event.data, json::unlimited));
    return {event.id, user, event.job, shown.type, std::move(shown.data)};
}

/// Reads on from the table for a subscriber. It outlives the plugin's object where the plugin is reloaded,
/// so that it holds all that it needs.
Replay replayOf(const EventLog& log, std::string user, std::optional<JobId> job) {
    return [log, user = std::move(user), job](std::uint64_t after) {
        const EventPage page = log.read({user, job, after, replayedAtOnce, replayedBytesAtOnce});
        StoredEvents stored;
        stored.more = page.more;
        for (const ReportedEvent& event : page.events) {
            stored.events.push_back(liveEvent(event, user));
        }
        return stored;
    };
}

std::string historyJson(const JobId& job, const EventPage& page) {
    std::string text;
    json::Writer writer(text);
    writer.beginObject().member("job_id", job.str()).key("events").beginArray();
    for (const ReportedEvent& event : page.events) {
        writer.beginObject().member("id", event.id).member("event_type", event.type);
        writer.rawMember("data", event.data).member("created_at", rfc3339(event.createdAt)).endObject();
    }
    writer.endArray();
    if (page.more) {
        writer.member("next_after", page.events.back().id);
    }
    writer.endObject();
    return text;
}

RequestError fullOf(const StoredTotals& limits) {
    RequestError error(429, "limit_reached",
                       "the job has as many events stored as it may: " + std::to_string(limits.events) +
                           " (jobs.limit.events) with " + std::to_string(limits.bytes) +
                           " bytes (jobs.limit.event_bytes); 0 is any number");
    // It may get room, by events.keep or by an operator.
    error.retryAfter(std::chrono::seconds(60));
    return error;
}

RequestError tooFast(const JobPace& pace) {
    RequestError error(429, "rate_limited",
                       "the job reports more than " + std::to_string(pace.perSecond) +
                           " bytes of events in a second (jobs.limit.event_bytes_per_second)");
    error.retryAfter(pace.retryAfter);
    return error;
}

}  // namespace

/// An event on its way into the table and on to those who follow.
struct EventsPlugin::Posted {
    JobId job;
    std::string user;
    std::vector<SqlValue> row;
    std::optional<Broadcast> broadcast;  ///< made ahead if somebody follows at the time
    StoredTotals limits;
    std::shared_ptr<StoredCounts::Place> place;
    StoredTotals before;  ///< what is stored of the job from before, if that was not known
    bool full = false;    ///< by that there is no room for it
    std::uint64_t id = 0;
};

/// The table, with the counts told of what is deleted while jobs go on.
class EventsPlugin::CountedRows final : public KeptRows {
public:
    explicit CountedRows(EventsPlugin& plugin) : plugin_(plugin) {}

    [[nodiscard]] std::optional<JobId> jobAfter(const std::optional<JobId>& job) override {
        return plugin_.log_->jobAfter(job);
    }
    bool removeJob(const JobId& job, Sweep& sweep) override { return plugin_.log_->removeJob(job, sweep); }
    bool removeBefore(Timestamp time, Sweep& sweep) override {
        const std::size_t before = sweep.removed();
        const bool done = plugin_.log_->removeBefore(time, sweep);
        if (sweep.removed() > before) {
            // Those on their way into the table just now are missed.
            plugin_.countedFrom_ = plugin_.log_->last();
            plugin_.counts_.forgetAll();
        }
        return done;
    }

private:
    EventsPlugin& plugin_;
};

EventsPlugin::EventsPlugin() = default;

EventsPlugin::~EventsPlugin() = default;

void EventsPlugin::start(Host& host) {
    host_ = &host;
    log_.emplace(host.store());
    terms_ = host.find<JobTermsService>();
    auto& metrics = host.require<Metrics>();
    stored_ = &metrics.counter("stored_total", "Events that were stored");
    storedBytes_ = &metrics.counter("stored_bytes_total", "Bytes of the data of events that were stored");
    refused_ = &metrics.counters("refused_total", "Events that were refused for a limit of their job",
                                 {{"limit", {"stored", "rate"}}});
    countedFrom_ = log_->last();
    rows_ = std::make_unique<CountedRows>(*this);
    maxSize_ = host.settings().size("max_size");
    host.bus().subscribe<JobFinished>([this](const JobFinished& message) { counts_.forget(message.job); });
    retention_.emplace(
        host, *rows_,
        Retention::Options{.line = "old events were deleted", .keep = host.settings().duration("keep")});
    host.events().advanceTo(countedFrom_);
    host.routes().worker("POST", "/event", [this](const Call& call) { return post(call); },
                         {.run = Run::loop});
    host.routes().operators("GET", "/jobs/{job_id}/events",
                            [this](const Call& call) { return history(call); });
    host.routes().operators("GET", "/events", [this](const Call& call) { return follow(call); },
                            {.head = false});
}

Reply EventsPlugin::post(const Call& call) {
    const json::Object body = call.json();
    std::string type = readType(body);
    const json::Value& data = body.required("data");
    if (data.raw().size() > maxSize_) {
        throw tooLarge("the event's data has more than " + std::to_string(maxSize_) + " bytes");
    }
    auto event = std::make_shared<Posted>();
    event->job = call.caller().job();
    event->user = call.caller().user();
    const JobLimits limits = terms_->inForce(event->job);
    event->limits = {limits.events.value_or(0), limits.eventBytes.value_or(0)};
    const auto size = static_cast<std::int64_t>(data.raw().size()) + eventOverhead;
    event->place = counts_.reserve(event->job, size, event->limits);
    if (!event->place) {
        refused_->of({"stored"}).add();
        throw fullOf(event->limits);
    }
    const JobPace pace = terms_->takeEventBytes(event->job, size);
    if (pace.refused) {
        refused_->of({"rate"}).add();
        throw tooFast(pace);
    }
    if (host_->events().subscribers() > 0) {
        // Here, where several can do it at once, rather than on the store's thread.
        event->broadcast = broadcastOf(event->job, type, data);
    }
    event->row = EventLog::row(event->job, event->user, std::move(type), std::string(data.raw()), now());
    if (pace.wait.count() == 0) {
        return store(event);
    }
    // Nobody wakes it: its time comes.
    return Reply::waitFor(
        "events/pace", pace.wait, [] { return std::optional<Reply>(); }, store(event));
}

Reply EventsPlugin::store(const std::shared_ptr<Posted>& event) {
    return Reply::whenStored(
        host_->store(), [this, event](Transaction& transaction) { insert(transaction, *event); },
        [this, event] {
            if (!event->place->known()) {
                event->place->learn(event->before);
            }
            if (event->full) {
                refused_->of({"stored"}).add();
                throw fullOf(event->limits);
            }
            event->place->keep();
            stored_->add();
            storedBytes_->add(std::get<std::string>(event->row[EventLog::dataColumn]).size());
            publish(*event);
            return Reply::empty(200);
        });
}

/// Nothing is inserted if it turns out now that the job has as much stored as it may. That is no failure,
/// which would cost the writes of others beside it.
void EventsPlugin::insert(Transaction& transaction, Posted& event) {
    if (!event.place->known()) {
        event.before = EventLog::totals(transaction, event.job, countedFrom_);
        event.full = !event.place->fits(event.before, event.limits);
        if (event.full) {
            return;
        }
    }
    event.id = EventLog::insert(transaction, event.row);
    if (event.place->toBeNoted()) {
        EventLog::noteTotals(transaction, event.job, event.id);
    }
}

/// On the store's thread, in the order of the numbers.
void EventsPlugin::publish(Posted& event) {
    EventHub& hub = host_->events();
    // A subscriber counts before it reads what is stored: one that comes after this look reads the event.
    if (hub.subscribers() == 0) {
        hub.advanceTo(event.id);
        return;
    }
    if (!event.broadcast) {
        const auto& type = std::get<std::string>(event.row[EventLog::typeColumn]);
        const auto& data = std::get<std::string>(event.row[EventLog::dataColumn]);
        event.broadcast = broadcastOf(event.job, type, json::Value::parse(data, json::unlimited));
    }
    hub.publish({event.id, std::move(event.user), event.job, event.broadcast->type,
                 std::move(event.broadcast->data)});
}

Reply EventsPlugin::history(const Call& call) {
    const JobId job = call.jobId();
    EventRange range;
    range.user = ownerOf(job, call.caller());
    range.job = job;
    range.after = static_cast<std::uint64_t>(
        call.queryInteger("after", 0, std::numeric_limits<std::int64_t>::max(), 0));
    range.limit = static_cast<std::size_t>(call.queryInteger("limit", 1, maxHistory, defaultHistory));
    range.bytes = historyBytes;
    return Reply::jsonText(200, historyJson(job, log_->read(range)));
}

Reply EventsPlugin::follow(const Call& call) {
    std::optional<JobId> job;
    if (const auto text = call.query("job_id")) {
        job = JobId::parse(*text);
        if (!job) {
            throw badRequest("query parameter 'job_id' is not a UUID");
        }
    }
    Subscription subscription;
    subscription.user = userToFollow(call, job);
    subscription.job = job;
    if (const auto after = resumeAfter(call)) {
        // A number from beyond the end, of a database that was set back, would hide all that is to come.
        subscription.after = std::min(*after, log_->last());
    }
    subscription.replay = replayOf(*log_, subscription.user, job);
    return Reply::events(std::move(subscription));
}

std::string EventsPlugin::ownerOf(const JobId& job, const Caller& caller) {
    auto owner = host_->jobs().owner(job);
    if (!owner || !caller.mayAccess(*owner)) {
        throw notFound("there is no such job");
    }
    return *std::move(owner);
}

std::string EventsPlugin::userToFollow(const Call& call, const std::optional<JobId>& job) {
    const auto named = userInQuery(call);
    if (named == "*") {
        throw badRequest("only one user's jobs can be followed at a time");
    }
    if (!job) {
        return named.value_or(call.caller().user());
    }
    std::string owner = ownerOf(*job, call.caller());
    if (named && *named != owner) {
        throw notFound("that user has no such job");
    }
    return owner;
}

}  // namespace sallyport::plugins
