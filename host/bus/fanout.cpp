#include "host/bus/fanout.h"

#include <utility>

namespace sallyport::host::bus {

namespace {

constexpr std::size_t batch = 256;        ///< events read from the store at once
constexpr std::size_t remembered = 1024;  ///< published frames kept for those who are switching over
constexpr std::size_t readBelow = std::size_t{64} * 1024;  ///< backlog under which more is read

}  // namespace

std::shared_ptr<const Frame> makeFrame(const LiveEvent& event) {
    auto frame = std::make_shared<Frame>(Frame{event.id, event.user, event.job, {}});
    frame->text.reserve(event.type.size() + event.data.size() + 48);
    if (event.id != 0)
        frame->text.append("id: ").append(std::to_string(event.id)).append("\n");
    frame->text.append("event: ").append(event.type).append("\ndata: ").append(event.data).append("\n\n");
    return frame;
}

Fanout::Fanout(Reader reader) : reader_(std::move(reader)) {}

void Fanout::attach(Key key, Subscriber& subscriber, std::string plugin, Subscription subscription,
                    std::uint64_t last) {
    auto& stored = members_[key];
    stored.subscriber = &subscriber;
    stored.plugin = std::move(plugin);
    stored.subscription = std::move(subscription);
    stored.cursor = stored.subscription.after.value_or(last);
    if (!stored.subscription.after) {
        // A client that is cut off before its first event can still resume: the id alone dispatches nothing.
        if (!subscriber.send("id: " + std::to_string(last) + "\n\n"))
            return;
    }
    if (stored.subscription.replay)
        read(key, stored);
    else
        stored.live = true;
}

void Fanout::detach(Key key) {
    members_.erase(key);
}

void Fanout::read(Key key, Member& member) {
    member.reading = true;
    member.seenAtRead = recent_.empty() ? forgotten_ : recent_.back()->id;
    reader_(
        {member.plugin, member.subscription.user},
        [replay = member.subscription.replay, after = member.cursor] { return replay(after); },
        [this, key](const StoredEvents* stored) { replayed(key, stored); });
}

void Fanout::replayed(Key key, const StoredEvents* stored) {
    const auto found = members_.find(key);
    if (found == members_.end())
        return;
    auto& member = found->second;
    member.reading = false;
    if (stored == nullptr) {
        // Better cut off than left with a gap: the client resumes from where it is.
        member.subscription.replay = nullptr;
        member.subscriber->cutOff();
        return;
    }
    for (const auto& event : stored->events) {
        // What the client has no room for is read again once it has.
        if (member.subscriber->backlog() >= readBelow)
            return;
        if (!member.subscriber->send(makeFrame(event)->text))
            return;
        member.cursor = event.id;
    }
    if (!stored->more && forgotten_ <= member.seenAtRead)
        goLive(member);
    else if (member.subscriber->backlog() < readBelow)
        read(key, member);
}

void Fanout::goLive(Member& member) {
    member.live = true;
    member.subscription.replay = nullptr;
    for (const auto& frame : recent_) {
        if (frame->id > member.cursor && wants(member, *frame)) {
            member.cursor = frame->id;
            if (!member.subscriber->send(frame->text))
                return;
        }
    }
    for (const auto& frame : std::exchange(member.held, {}))
        member.subscriber->send(frame->text);
}

void Fanout::drained(Key key) {
    const auto found = members_.find(key);
    if (found == members_.end())
        return;
    auto& member = found->second;
    if (!member.live && !member.reading && member.subscription.replay &&
        member.subscriber->backlog() < readBelow)
        read(key, member);
}

bool Fanout::wants(const Member& member, const Frame& frame) {
    return frame.user == member.subscription.user &&
           (!member.subscription.job || *member.subscription.job == frame.job);
}

void Fanout::deliver(const std::shared_ptr<const Frame>& frame) {
    if (frame->id != 0) {
        recent_.push_back(frame);
        if (recent_.size() > remembered) {
            forgotten_ = recent_.front()->id;
            recent_.pop_front();
        }
    }
    for (auto& [key, member] : members_) {
        if (!wants(member, *frame))
            continue;
        if (!member.live) {
            // Numbered frames will be found in the store or in recent_.
            if (frame->id == 0 && member.held.size() < remembered)
                member.held.push_back(frame);
        } else if (frame->id == 0) {
            member.subscriber->send(frame->text);
        } else if (frame->id > member.cursor) {
            member.cursor = frame->id;
            member.subscriber->send(frame->text);
        }
    }
}

}  // namespace sallyport::host::bus
