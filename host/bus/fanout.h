// Hands live events to the subscribers of one event loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <sallyport/events.h>

#include "host/bus/frame.h"

namespace sallyport::host::bus {

/// One subscriber's connection.
class Subscriber {
public:
    virtual ~Subscriber() = default;

    /// Queues a frame for the client. @return false when its buffer is full: it is being cut off.
    virtual bool send(const FramePtr& frame) = 0;
    /// The same for a text that is nobody else's.
    virtual bool send(std::string_view text) = 0;
    /// Bytes queued and not yet taken by the network.
    [[nodiscard]] virtual std::size_t backlog() const = 0;
    /// Has the connection closed soon, because what comes next cannot be sent; never within the call.
    virtual void cutOff() = 0;
};

/// The subscribers of one loop. A subscriber that resumes first reads what is stored, a batch at a time and
/// never faster than its client takes it, and is switched over to what is published without a gap or a
/// repeat: whatever was committed before its last read is in that read, and whatever came later has passed
/// through here and is kept for it. When memory runs short, those who are furthest behind are cut off.
/// [loop thread]
class Fanout {
public:
    using Key = std::uint64_t;
    /// Whose a subscription is.
    struct Owner {
        std::string plugin;  ///< whose code reads what is stored
        std::string user;    ///< who sees it
    };
    /// Runs `read` where it may block, and then `done` with what it returned on the loop's thread; `done`
    /// gets nothing when reading failed.
    using Reader = std::function<void(const Owner& owner, std::function<StoredEvents()> read,
                                      std::function<void(const StoredEvents*)> done)>;
    /// Has `turn` called soon, after connections that were cut off have been closed.
    using Later = std::function<void()>;

    /// @param memory of the frames. It outlives this.
    Fanout(FrameMemory& memory, Reader reader, Later later);
    ~Fanout();
    Fanout(const Fanout&) = delete;
    Fanout& operator=(const Fanout&) = delete;

    /// @param key of the subscriber, which must be detached before it goes away.
    /// @param plugin that answered with the subscription.
    /// @param last number of the newest event; where a subscription that names none begins.
    void attach(Key key, Subscriber& subscriber, std::string plugin, Subscription subscription,
                std::uint64_t last);
    void detach(Key key);

    /// An event has been published. It is handed out within this turn of the loop and the next ones.
    void deliver(FramePtr frame);
    /// Goes on handing out what has been published, for a bounded time.
    void turn();

    /// The subscriber's buffer has run low: what is stored can be read on.
    void drained(Key key);

    [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }

private:
    struct Member {
        Key key = 0;
        Subscriber* subscriber = nullptr;
        std::string plugin;
        Subscription subscription;
        std::uint64_t cursor = 0;  ///< everything up to here has been sent
        bool live = false;
        bool reading = false;
        bool cut = false;     ///< nothing is sent any more
        bool missed = false;  ///< a frame that came while reading could not be kept
        std::vector<FramePtr>
            kept;  ///< what came while reading, and unnumbered frames that came before it is live
        std::uint64_t behindSince = 0;  ///< the first frame not taken; 0: all have been
        std::size_t taken = 0;          ///< of the memory, for what is not taken
    };
    /// The subscribers to one user's events.
    struct Audience {
        std::unordered_set<Key> all;
        std::unordered_map<JobId, std::unordered_set<Key>> byJob;
    };

    [[nodiscard]] std::vector<Key> audienceOf(const Frame& frame) const;
    void handTo(Member& member, const FramePtr& frame);
    void keep(Member& member, const FramePtr& frame);
    void read(Member& member);
    void replayed(Key key, const StoredEvents* stored);
    [[nodiscard]] bool mayRead(Member& member);
    void goLive(Member& member);
    bool send(Member& member, const FramePtr& frame);
    void noteProgress(Member& member);
    void caughtUp(Member& member);
    void cutOff(Member& member);
    bool relieve();
    void schedule();

    FrameMemory& memory_;
    Reader reader_;
    Later later_;
    std::unordered_map<Key, Member> members_;
    std::unordered_map<std::string, Audience> audiences_;  ///< by user
    std::deque<FramePtr> published_;                       ///< to be handed out, oldest first
    std::vector<Key> audience_;  ///< of the first of them: those who have not been given it yet
    bool begun_ = false;         ///< whether `audience_` has been filled
    std::vector<Key> paused_;    ///< those whose reading waits for memory
    bool scheduled_ = false;     ///< a turn will come
    bool relieving_ = false;     ///< somebody has been cut off since the last turn
};

}  // namespace sallyport::host::bus
