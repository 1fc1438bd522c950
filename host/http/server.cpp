#include "host/http/server.h"

#include <latch>
#include <semaphore>
#include <thread>

namespace sallyport::host::http {

namespace {

constexpr std::chrono::seconds timeToCut{1};

}  // namespace

Server::Server(const Options& options, const auth::Filter& filter, StartJob startJob, bus::LiveHub& hub,
               Metrics& metrics, Logger& log)
    : pool_(options.pool, log, &crowd_, &metrics),
      bodies_(options.limits.bodyMemory, options.largestBody),
      counters_(metrics),
      metrics_(metrics),
      loopMetrics_(metrics),
      services_{options.limits, filter,   std::move(startJob), pool_, topics_, hub, bodies_,
                crowd_,         metrics_, loopMetrics_,        log} {
    for (std::size_t i = 0; i < options.loops; ++i) {
        auto& loop = *loops_.emplace_back(std::make_unique<EventLoop>(services_, options.busyPoll));
        hub.addOutlet([&loop](bus::FramePtr frame) {
            loop.post(
                [&loop, frame = std::move(frame)]() mutable { loop.fanout().deliver(std::move(frame)); });
        });
        loop.start();
    }
}

Server::~Server() {
    listeners_.clear();
    stop();
}

void Server::open(const Door::Options& options, std::vector<ListeningSocket> sockets) {
    auto& door =
        *doors_.emplace_back(std::make_unique<Door>(options, &openConnections(counters_, options.realm)));
    for (auto& socket : sockets) {
        listeners_.emplace_back(std::make_unique<Listener>(
            std::move(socket), door, [this]() -> EventLoop& { return *loops_[turn_++ % loops_.size()]; }));
    }
}

void Server::start() {
    for (const auto& listener : listeners_) {
        listener->start();
    }
}

void Server::onEveryLoop(const std::function<void(EventLoop&)>& task) {
    std::latch done(static_cast<std::ptrdiff_t>(loops_.size()));
    for (const auto& loop : loops_) {
        loop->post([&, target = loop.get()] {
            // Whatever becomes of the task, somebody waits for its end.
            const struct CountDown {
                std::latch& latch;
                ~CountDown() { latch.count_down(); }
            } end{done};
            task(*target);
        });
    }
    done.wait();
}

void Server::publish(const std::shared_ptr<const RouteTable>& routes) {
    onEveryLoop([&routes](EventLoop& loop) { loop.setRoutes(routes); });
}

void Server::endWaits(const std::shared_ptr<Gate>& gate) {
    onEveryLoop([&gate](EventLoop& loop) { loop.endWaits(*gate); });
}

void Server::endRevoked(const std::optional<JobId>& job) {
    for (const auto& loop : loops_) {
        loop->post([target = loop.get(), job] { target->endRevoked(job); });
    }
}

bool Server::responsive(std::chrono::milliseconds patience) {
    if (pool_.stuck()) {
        return false;
    }
    // Shared, because a loop that is stuck may come to its task after this has returned.
    const auto waiting = std::make_shared<std::counting_semaphore<>>(0);
    for (const auto& loop : loops_) {
        loop->post([waiting] { waiting->release(); });
    }
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (std::size_t i = 0; i < loops_.size(); ++i) {
        if (!waiting->try_acquire_until(deadline)) {
            return false;
        }
    }
    return true;
}

void Server::stopListeners() {
    for (const auto& listener : listeners_) {
        listener->stop();
    }
    listeners_.clear();
}

bool Server::drain(std::chrono::milliseconds grace) {
    stopListeners();
    for (const auto& loop : loops_) {
        loop->drain();
    }
    const auto hurry = pool_.hurry();
    const auto deadline = std::chrono::steady_clock::now() + grace;
    const auto ended = [this](std::chrono::steady_clock::time_point until) {
        while (connections() > 0) {
            if (std::chrono::steady_clock::now() >= until) {
                return false;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return true;
    };
    if (ended(deadline)) {
        return true;
    }
    for (const auto& loop : loops_) {
        loop->abortAll();
    }
    // A loop on which a plugin's code does not return never comes to it.
    static_cast<void>(ended(std::chrono::steady_clock::now() + timeToCut));
    return false;
}

void Server::stop() {
    pool_.stop();
    for (const auto& loop : loops_) {
        loop->stop();
    }
}

std::vector<EventLoop*> Server::loops() const {
    std::vector<EventLoop*> loops;
    for (const auto& loop : loops_) {
        loops.push_back(loop.get());
    }
    return loops;
}

std::size_t Server::connections() const {
    std::size_t count = 0;
    for (const auto& door : doors_) {
        count += door->connections();
    }
    return count;
}

}  // namespace sallyport::host::http
