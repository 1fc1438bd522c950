// Who may come in.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include <sallyport/caller.h>
#include <sallyport/ext/metrics.h>

#include "host/http/time_share.h"

namespace sallyport::host::http {

/// One of the two doors: what is accepted there, and the places in it. Whoever has not said who it is has the
/// least right to a place, and gives way to a newcomer: first those whose requests did not say it, then,
/// after a moment for that, those without a request; each the oldest first, of the same address when that has
/// too many, of the whole door when that is full. [any thread]
class Door {
public:
    using Clock = std::chrono::steady_clock;

    struct Options {
        Realm realm = Realm::worker;
        std::size_t maxBody = 0;         ///< bytes of a request's body
        std::size_t maxConnections = 0;  ///< open at once
        std::size_t maxPerJob = 0;       ///< of those, authenticated as one job; 0: no bound of its own
        std::size_t maxPerAddress = 0;   ///< of those, not authenticated and from one address; 0: the same
    };

    /// A connection's place, given back when it goes away.
    class Place;

    /// @param open counts the connections that are open, as long as this lives; null: nothing does.
    explicit Door(const Options& options, Gauge* open = nullptr) : options_(options), open_(open) {}
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    [[nodiscard]] const Options& options() const noexcept { return options_; }

    /// A place for a connection that has just been accepted.
    /// @param address the peer's, without a port; empty where there is none to tell apart.
    /// @return null when there is none: nobody can be asked to give way.
    [[nodiscard]] std::unique_ptr<Place> enter(std::string address, Clock::time_point now = Clock::now());

    /// Connections that are open, those that are giving way among them.
    [[nodiscard]] std::size_t connections() const;

private:
    using Places = std::list<Place*>;

    [[nodiscard]] bool isCrowded(const std::string& address) const;
    [[nodiscard]] Place* leastRight(const std::string& address, Clock::time_point now) const;
    [[nodiscard]] std::function<void()> evict(Place& place);
    void addAnonymous(Place& place);
    void removeAnonymous(Place& place);

    const Options options_;
    Gauge* const open_;
    mutable std::mutex mutex_;
    std::size_t staying_ = 0;  ///< connections, but for those that give way
    std::size_t leaving_ = 0;  ///< those
    Places newcomers_;         ///< not authenticated, without a request yet, in the order of their coming
    Places strangers_;         ///< not authenticated by any request, in the order of the first
    std::unordered_map<std::string, std::size_t> byAddress_;  ///< of those
    std::unordered_map<JobId, std::size_t> byJob_;
};

class Door::Place {
public:
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    /// @param evicted has the connection closed. Called once, when it must give way, on the thread of whoever
    ///        comes in; at once if it must already. Must not block, and may come after this has gone.
    void onEvicted(std::function<void()> evicted);

    // The rest is for the connection's thread.

    /// A request has said who it is. @param job null for an operator.
    /// @return false when the job has too many connections; nothing has changed then.
    [[nodiscard]] bool authenticate(const JobId* job);
    /// A request has come, from somebody who is about to be authenticated or else is a stranger.
    void asked();
    /// The token that it was known by counts no more.
    void forget();

    [[nodiscard]] bool isAuthenticated() const noexcept { return authenticated_; }
    [[nodiscard]] bool isOf(const JobId& job) const noexcept { return job_ && *job_ == job; }
    /// On whose account it has its turns.
    [[nodiscard]] Account account() const noexcept;

private:
    friend class Door;
    Place(Door& door, std::string address, Clock::time_point now)
        : door_(door), address_(std::move(address)), since_(now) {}
    void leaveJob();

    Door& door_;
    const std::string address_;
    bool authenticated_ = false;
    bool stranger_ = false;
    std::optional<JobId> job_;
    // Guarded by the door's mutex.
    const Clock::time_point since_;  ///< when it came
    bool evicted_ = false;
    std::optional<Places::iterator> anonymous_;  ///< among the newcomers or strangers
    std::function<void()> evict_;
};

/// Lowers the numbers of connections to what the process may have of descriptors: a quarter is left for all
/// else, and an eighth is the operators' in any case, so that no crowd at the worker door shuts them out.
/// @return whether it had to.
bool fitToDescriptors(Door::Options& worker, Door::Options& operators, std::size_t descriptors);

}  // namespace sallyport::host::http
