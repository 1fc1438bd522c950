// Both doors: listeners, loops and the pool behind them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "host/http/event_loop.h"
#include "host/http/listener.h"
#include "host/http/services.h"

namespace sallyport::host::http {

/// The HTTP server. It outlives the plugins, whose streams and promises refer to its loops. [any thread but
/// the loops' own, unless it says otherwise]
class Server {
public:
    struct Options {
        Limits limits;
        std::size_t loops = 1;
        std::chrono::microseconds busyPoll{0};  ///< of a loop with little to do; see EventLoop
        WorkerPool::Options pool;               ///< on which handlers may block
        std::size_t largestBody = 0;            ///< of a worker's request; a job may hold it in any case
    };
    using StartJob = decltype(Services::startJob);

    /// @param metrics where requests are counted.
    /// All but `options` and `startJob` outlive this.
    Server(const Options& options, const auth::Filter& filter, StartJob startJob, bus::LiveHub& hub,
           Metrics& metrics, Logger& log);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Opens a door with all the sockets that it listens on. [before start]
    void open(const Door::Options& options, std::vector<ListeningSocket> sockets);

    /// Begins to accept connections.
    void start();

    /// Replaces the routes. When it returns, every request whose handler has not begun will use them.
    void publish(const std::shared_ptr<const RouteTable>& routes);

    /// Answers what a plugin has parked and closes its subscribers, at once.
    void endWaits(const std::shared_ptr<Gate>& gate);

    /// Answers parked requests whose tokens have been revoked with 401 and cuts such streams, soon.
    /// @param job whose token that was; nothing for an operator's. [any thread]
    void endRevoked(const std::optional<JobId>& job);

    /// Has parked requests try again. [any thread]
    void wake(std::string_view topic) { topics_.wake(topic); }

    /// Whether every loop comes to a new task within `patience`, and the pool is not stuck.
    [[nodiscard]] bool responsive(std::chrono::milliseconds patience);

    /// Stops accepting, lets requests in flight finish for up to `grace`, closes the rest.
    /// @return whether all of them finished.
    bool drain(std::chrono::milliseconds grace);

    /// Ends loops and pool. After it nothing of a plugin is called from here.
    void stop();

    [[nodiscard]] WorkerPool& pool() noexcept { return pool_; }
    /// They run from the beginning until `stop`.
    [[nodiscard]] std::vector<EventLoop*> loops() const;
    /// Open at this moment.
    [[nodiscard]] std::size_t connections() const;

private:
    /// Runs `task` on every loop and waits for all of them.
    void onEveryLoop(const std::function<void(EventLoop&)>& task);
    void stopListeners();

    Crowd crowd_;
    WorkerPool pool_;
    Topics topics_;
    BodyBudget bodies_;
    Metrics& counters_;
    RequestMetrics metrics_;
    LoopMetrics loopMetrics_;
    Services services_;
    std::vector<std::unique_ptr<EventLoop>> loops_;
    std::vector<std::unique_ptr<Door>> doors_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::atomic<std::size_t> turn_{0};
};

}  // namespace sallyport::host::http
