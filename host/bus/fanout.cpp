#include "host/bus/fanout.h"

#include <algorithm>
#include <utility>

namespace sallyport::host::bus {

namespace {

constexpr std::size_t readBelow = std::size_t{64} * 1024;  ///< backlog under which more is read
constexpr std::size_t mostKept = 1024;  ///< frames for one subscriber that is switching over
/// Bytes that are handed out in one turn. The loop has others to serve.
constexpr std::size_t turnBytes = std::size_t{256} * 1024;
/// What handing out a frame costs beside its bytes.
constexpr std::size_t handCost = 256;

}  // namespace

Fanout::Fanout(FrameMemory& memory, Reader reader, Later later)
    : memory_(memory), reader_(std::move(reader)), later_(std::move(later)) {}

Fanout::~Fanout() {
    for (auto& [key, member] : members_) {
        caughtUp(member);
    }
}

void Fanout::attach(Key key, Subscriber& subscriber, std::string plugin, Subscription subscription,
                    std::uint64_t last) {
    auto& member = members_[key];
    member.key = key;
    member.subscriber = &subscriber;
    member.plugin = std::move(plugin);
    member.subscription = std::move(subscription);
    member.cursor = member.subscription.after.value_or(last);
    auto& audience = audiences_[member.subscription.user];
    const auto& job = member.subscription.job;
    (job ? audience.byJob[*job] : audience.all).insert(key);
    if (!member.subscription.after) {
        // A client that is cut off before its first event can still resume: the id alone dispatches nothing.
        if (!subscriber.send("id: " + std::to_string(last) + "\n\n")) {
            return;
        }
    }
    if (member.subscription.replay) {
        read(member);
    } else {
        member.live = true;
    }
}

void Fanout::detach(Key key) {
    const auto found = members_.find(key);
    if (found == members_.end()) {
        return;
    }
    caughtUp(found->second);
    const auto& subscription = found->second.subscription;
    const auto audience = audiences_.find(subscription.user);
    if (subscription.job) {
        const auto ofJob = audience->second.byJob.find(*subscription.job);
        ofJob->second.erase(key);
        if (ofJob->second.empty()) {
            audience->second.byJob.erase(ofJob);
        }
    } else {
        audience->second.all.erase(key);
    }
    if (audience->second.all.empty() && audience->second.byJob.empty()) {
        audiences_.erase(audience);
    }
    members_.erase(found);
}

// What is stored

void Fanout::read(Member& member) {
    member.reading = true;
    member.missed = false;
    // Whatever came up to now is stored and will be in this read.
    std::erase_if(member.kept, [](const FramePtr& frame) { return frame->id != 0; });
    reader_(
        {member.plugin, member.subscription.user},
        [replay = member.subscription.replay, after = member.cursor] { return replay(after); },
        [this, key = member.key](const StoredEvents* stored) { replayed(key, stored); });
}

bool Fanout::mayRead(Member& member) {
    if (member.cut || member.subscriber->backlog() >= readBelow) {
        return false;
    }
    if (!memory_.isShort()) {
        return true;
    }
    relieve();
    paused_.push_back(member.key);
    return false;
}

void Fanout::replayed(Key key, const StoredEvents* stored) {
    const auto found = members_.find(key);
    if (found == members_.end()) {
        return;
    }
    auto& member = found->second;
    member.reading = false;
    if (stored == nullptr) {
        // Better cut off than left with a gap: the client resumes from where it is.
        cutOff(member);
        return;
    }
    for (const auto& event : stored->events) {
        // What the client has no room for is read again once it has.
        if (!mayRead(member) || !send(member, memory_.make(event))) {
            return;
        }
        member.cursor = event.id;
    }
    if (!stored->more && !member.missed) {
        goLive(member);
    } else if (mayRead(member)) {
        read(member);
    }
}

void Fanout::goLive(Member& member) {
    member.live = true;
    member.subscription.replay = nullptr;
    for (const auto& frame : std::exchange(member.kept, {})) {
        handTo(member, frame);
    }
}

void Fanout::drained(Key key) {
    const auto found = members_.find(key);
    if (found == members_.end()) {
        return;
    }
    auto& member = found->second;
    noteProgress(member);
    if (!member.live && !member.reading && member.subscription.replay && mayRead(member)) {
        read(member);
    }
}

// What is published

void Fanout::deliver(FramePtr frame) {
    published_.push_back(std::move(frame));
    if (!scheduled_) {
        turn();
    }
}

void Fanout::turn() {
    scheduled_ = false;
    relieving_ = false;
    bool enough = memory_.isShort() && relieve();
    if (!memory_.isShort()) {
        for (const auto key : std::exchange(paused_, {})) {
            drained(key);
        }
    }
    for (std::size_t spent = 0; !enough && !published_.empty();) {
        const auto frame = published_.front();
        if (!std::exchange(begun_, true)) {
            audience_ = audienceOf(*frame);
        }
        while (!audience_.empty() && spent < turnBytes) {
            const auto found = members_.find(audience_.back());
            audience_.pop_back();
            if (found == members_.end()) {
                continue;
            }
            spent += handCost + (found->second.behindSince == 0 ? frame->text.size() : 0);
            handTo(found->second, frame);
        }
        enough = !audience_.empty();
        if (!enough) {
            published_.pop_front();
            begun_ = false;
        }
    }
    if (enough) {
        schedule();
    }
}

void Fanout::schedule() {
    if (!std::exchange(scheduled_, true)) {
        later_();
    }
}

std::vector<Fanout::Key> Fanout::audienceOf(const Frame& frame) const {
    std::vector<Key> keys;
    const auto found = audiences_.find(frame.user);
    if (found == audiences_.end()) {
        return keys;
    }
    const auto& [all, byJob] = found->second;
    keys.assign(all.begin(), all.end());
    if (const auto ofJob = byJob.find(frame.job); ofJob != byJob.end()) {
        keys.insert(keys.end(), ofJob->second.begin(), ofJob->second.end());
    }
    return keys;
}

void Fanout::handTo(Member& member, const FramePtr& frame) {
    if (member.cut) {
        return;
    }
    if (!member.live) {
        keep(member, frame);
    } else if (frame->id == 0 || frame->id > member.cursor) {
        member.cursor = std::max(member.cursor, frame->id);
        if (frame->lost()) {
            cutOff(member);
        } else {
            send(member, frame);
        }
    }
}

void Fanout::keep(Member& member, const FramePtr& frame) {
    // Numbered frames will be found in the store by a read that begins later.
    const bool numbered = frame->id != 0;
    if (numbered && (!member.reading || member.missed)) {
        return;
    }
    const bool room = member.kept.size() < mostKept;
    if (room && (!numbered || (!frame->lost() && !memory_.isShort()))) {
        member.kept.push_back(frame);
    } else if (numbered) {
        member.missed = true;
        std::erase_if(member.kept, [](const FramePtr& one) { return one->id != 0; });
    } else {
        cutOff(member);
    }
}

// Who keeps up

bool Fanout::send(Member& member, const FramePtr& frame) {
    noteProgress(member);
    if (!member.subscriber->send(frame)) {
        member.cut = true;
        caughtUp(member);
        return false;
    }
    if (member.subscriber->backlog() > 0) {
        if (member.behindSince == 0) {
            member.behindSince = frame->sequence;
            memory_.fellBehind(frame->sequence);
        }
        member.taken += memory_.takeFor(*frame);
    }
    return true;
}

void Fanout::noteProgress(Member& member) {
    if (member.behindSince != 0 && member.subscriber->backlog() == 0) {
        caughtUp(member);
    }
}

void Fanout::caughtUp(Member& member) {
    if (const auto since = std::exchange(member.behindSince, 0); since != 0) {
        memory_.caughtUp(since);
    }
    memory_.give(std::exchange(member.taken, 0));
}

void Fanout::cutOff(Member& member) {
    member.cut = true;
    caughtUp(member);
    member.kept.clear();
    member.subscriber->cutOff();
}

/// Cuts the slowest off, unless that has been done and its effect is not to be seen yet.
/// @return whether there is one.
bool Fanout::relieve() {
    if (relieving_) {
        return true;
    }
    const auto slowest = memory_.slowest();
    for (auto& [key, member] : members_) {
        noteProgress(member);
        if (member.behindSince != 0 && member.behindSince <= slowest) {
            cutOff(member);
            relieving_ = true;
        }
    }
    if (relieving_) {
        schedule();
    }
    return relieving_;
}

}  // namespace sallyport::host::bus
