// One thread that serves many connections.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sys/epoll.h>

#include <sallyport/caller.h>
#include <sallyport/file_descriptor.h>

#include "host/bus/fanout.h"
#include "host/http/door.h"
#include "host/http/loop.h"
#include "host/http/router.h"
#include "host/http/services.h"
#include "host/http/task.h"
#include "host/http/timers.h"
#include "host/http/transport.h"
#include "host/http/turns.h"
#include "host/http/watches.h"

namespace sallyport::host::http {

class Connection;
class HostCall;

/// An epoll(7) loop. Everything about a connection happens on its loop's thread; other
/// threads reach it by `post`.
class EventLoop final : public Loop {
public:
    using ConnectionId = Turns::ConnectionId;
    using Clock = std::chrono::steady_clock;

    /// @param busyPoll how long it goes on looking after it had something to do, while it has one or two
    ///        requests: waking up a processor takes longer than many an answer.
    explicit EventLoop(Services& services, std::chrono::microseconds busyPoll = {});
    ~EventLoop() override;
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    void start();

    // The end, in this order. None of it needs memory. [one thread]

    /// Closes idle connections, ends what waits, and has the others close after their answer, soon.
    void drain() noexcept { advance(Phase::draining); }
    /// Cuts every connection that is left, soon.
    void abortAll() noexcept { advance(Phase::aborted); }
    /// Closes what is left and ends the thread.
    void stop();

    void post(Task task) override;
    /// The same when it is the connection's turn, in the order of posting for that connection. It runs, too,
    /// when the connection has gone. [any thread]
    void post(ConnectionId connection, Task task);

    [[nodiscard]] bool isCurrent() const noexcept override;
    [[nodiscard]] std::uint64_t newNumber() override { return nextId_++; }
    [[nodiscard]] Watches& watches() noexcept override { return watches_; }
    [[nodiscard]] Timers& timers() noexcept override { return timers_; }

    /// Takes over a connection that was accepted at `door`. [any thread]
    void adopt(std::unique_ptr<Transport> transport, std::unique_ptr<Door::Place> place, const Door& door);

    /// Runs `task` with a connection on the loop's thread soon, unless that has gone by then. [any thread]
    template <class F>
    void postTo(ConnectionId id, F task) {
        post(id, forConnection(id, std::move(task)));
    }

    /// The same, whosever turn it is: others wait for what it has to give back. [any thread]
    template <class F>
    void postAtOnce(ConnectionId id, F task) {
        post(forConnection(id, std::move(task)));
    }

    // The rest is for connections, on the loop's thread.

    [[nodiscard]] Services& services() noexcept { return services_; }
    /// Null once the connection has gone.
    [[nodiscard]] Connection* find(ConnectionId id);
    /// The time at which the loop woke up.
    [[nodiscard]] Clock::time_point now() const noexcept { return now_; }
    /// `Date: …` with CRLF (RFC 9110 section 6.6.1).
    [[nodiscard]] const std::string& dateHeader();
    /// Lent to one read at a time.
    [[nodiscard]] std::vector<char>& scratch() noexcept { return scratch_; }
    /// 16 hex digits, unique while the daemon runs and in all likelihood ever after.
    [[nodiscard]] std::string newRequestId();
    /// Says that a request was not authenticated.
    void logDenial(const std::string& requestId, const std::string& path, const Transport& peer);
    /// Hands a reply to an exchange of a connection. [any thread]
    void postReply(ConnectionId id, std::uint64_t exchange, std::shared_ptr<HostCall> call, Reply reply);
    /// Has a connection go on that has used up its share of a turn, when it is its turn again.
    void serveLater(const Connection& connection);
    /// Destroys the connection once what is being done for it has returned.
    void retire(ConnectionId id) noexcept;
    /// A request is under way from its head to its answer's last byte.
    void requestBegan() noexcept { ++requests_; }
    void requestEnded() noexcept { --requests_; }
    /// Has the loop look at connections' deadlines by then.
    void wakeBy(Clock::time_point deadline);
    [[nodiscard]] bool draining() const noexcept { return phase_ != Phase::serving; }

    [[nodiscard]] const RouteTable& routes() const { return *routes_; }
    /// Changes whenever the routes do.
    [[nodiscard]] std::uint64_t routesVersion() const noexcept { return routesVersion_; }
    void setRoutes(std::shared_ptr<const RouteTable> routes);
    [[nodiscard]] bus::Fanout& fanout() noexcept { return fanout_; }

    /// Answers the parked requests of those whose tokens were revoked, and cuts their streams.
    /// @param job whose token that was; nothing for an operator's.
    void endRevoked(const std::optional<JobId>& job);
    /// Ends what one plugin has parked or subscribed, so that it can be replaced.
    void endWaits(const Gate& gate);

private:
    enum class Phase { serving, draining, aborted, stopped };

    struct Posted {
        ConnectionId connection;  ///< 0: it is the loop's own
        Task task;
    };

    template <class F>
    Task forConnection(ConnectionId id, F task) {
        return [this, id, task = std::move(task)] {
            if (auto* connection = find(id)) {
                serve(*connection, [&] { task(*connection); });
            }
        };
    }
    void readStored(const bus::Fanout::Owner& owner, std::function<StoredEvents()> read,
                    const std::function<void(const StoredEvents*)>& done);
    void run();
    void advance(Phase phase) noexcept;
    void enter(Phase phase);
    void wakeUp() noexcept;
    std::span<const epoll_event> await(std::span<epoll_event> events);
    void handle(std::uint64_t key, std::uint32_t events);
    [[nodiscard]] int timeout();
    void runTasks();
    void run(Task task) noexcept;
    [[nodiscard]] std::vector<Posted> takeTasks();
    void serveWatchesAndTimers();
    void serveTurns();
    void serve(Turns::Turn turn) noexcept;
    /// Runs what must not end the loop. @return whether it returned.
    template <class F>
    bool guarded(F function) noexcept;
    /// Runs a step of a connection, which is closed when that does not get to its end.
    template <class F>
    void serve(Connection& connection, F step) noexcept;
    void report(const char* problem) noexcept;
    static void abandon(Connection& connection) noexcept;
    void checkDeadlines();
    void bury() noexcept;
    template <class F>
    void forEach(F function);

    Services& services_;
    const std::chrono::microseconds busyPoll_;
    const FileDescriptor epoll_;
    const FileDescriptor wakeup_;
    std::thread thread_;
    std::atomic<Phase> wanted_{Phase::serving};
    Phase phase_ = Phase::serving;

    std::mutex mutex_;
    std::vector<Posted> tasks_;  ///< guarded by mutex_

    ConnectionId nextId_ = 1;  ///< connections and watches are numbered together
    /// Null where one has been retired and not been buried, so that whoever walks over them may close any.
    std::unordered_map<ConnectionId, std::unique_ptr<Connection>> connections_;
    std::unique_ptr<Connection> graveyard_;  ///< each has the one that was retired before it
    Watches watches_;
    Timers timers_;
    std::size_t requests_ = 0;  ///< under way
    bool wasBusy_ = false;      ///< when it last looked
    Clock::time_point now_;
    Clock::time_point nextCheck_ = Clock::time_point::max();
    std::time_t dateSecond_ = 0;
    std::string dateHeader_;
    std::uint64_t requestIds_;
    std::vector<char> scratch_;
    Turns turns_;
    std::shared_ptr<const RouteTable> routes_;
    std::uint64_t routesVersion_ = 0;
    bus::Fanout fanout_;
};

template <class F>
bool EventLoop::guarded(F function) noexcept {
    try {
        function();
        return true;
    } catch (const std::exception& error) {
        report(error.what());
    } catch (...) {
        report("not a std::exception");
    }
    return false;
}

template <class F>
void EventLoop::serve(Connection& connection, F step) noexcept {
    if (!guarded(step)) {
        abandon(connection);
    }
}

}  // namespace sallyport::host::http
