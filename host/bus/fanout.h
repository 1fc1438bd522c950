// Hands live events to the subscribers of one event loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <sallyport/events.h>

namespace sallyport::host::bus {

/// An event as it goes over the wire, made once for all who see it.
struct Frame {
    std::uint64_t id;
    std::string user;
    JobId job;
    std::string text;  ///< the Server-Sent Event with its closing empty line
};

/// @return the event's text: `id:` when numbered, `event:` and `data:`.
[[nodiscard]] std::shared_ptr<const Frame> makeFrame(const LiveEvent& event);

/// One subscriber's connection.
class Subscriber {
public:
    virtual ~Subscriber() = default;

    /// Queues text for the client. @return false when its buffer is full: it is being cut off.
    virtual bool send(std::string_view text) = 0;
    /// Bytes queued and not yet taken by the network.
    [[nodiscard]] virtual std::size_t backlog() const = 0;
    /// Has the connection closed soon, because what comes next cannot be sent; never within the call.
    virtual void cutOff() = 0;
};

/// The subscribers of one loop. A subscriber that resumes first reads what is stored, a batch at a time and
/// never faster than its client takes it, and is switched over to what is published without a gap or a
/// repeat: whatever was committed before its last read is in that read, and whatever came later has passed
/// through here and is still remembered. [loop thread]
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

    explicit Fanout(Reader reader);

    /// @param key of the subscriber, which must be detached before it goes away.
    /// @param plugin that answered with the subscription.
    /// @param last number of the newest event; where a subscription that names none begins.
    void attach(Key key, Subscriber& subscriber, std::string plugin, Subscription subscription,
                std::uint64_t last);
    void detach(Key key);

    /// An event has been published.
    void deliver(const std::shared_ptr<const Frame>& frame);

    /// The subscriber's buffer has run low: what is stored can be read on.
    void drained(Key key);

    [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }

private:
    struct Member {
        Subscriber* subscriber = nullptr;
        std::string plugin;
        Subscription subscription;
        std::uint64_t cursor = 0;  ///< everything up to here has been sent
        bool live = false;
        bool reading = false;
        std::uint64_t seenAtRead = 0;  ///< the newest frame published when the read was asked for
        std::vector<std::shared_ptr<const Frame>> held;  ///< unnumbered frames that wait for it to be live
    };

    void read(Key key, Member& member);
    void replayed(Key key, const StoredEvents* stored);
    void goLive(Member& member);
    [[nodiscard]] static bool wants(const Member& member, const Frame& frame);

    Reader reader_;
    std::unordered_map<Key, Member> members_;
    std::deque<std::shared_ptr<const Frame>> recent_;  ///< numbered frames, oldest first
    std::uint64_t forgotten_ = 0;                      ///< the newest frame that is no longer in recent_
};

}  // namespace sallyport::host::bus
