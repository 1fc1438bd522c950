#include "host/http/event_loop.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <random>
#include <system_error>

#include <sys/eventfd.h>
#include <unistd.h>

#include <Poco/DateTimeFormat.h>
#include <Poco/DateTimeFormatter.h>
#include <Poco/Timestamp.h>

#include "host/entry/waiting.h"
#include "host/http/connection.h"
#include "host/http/plugin_entry.h"
#include "host/log/attempt.h"

namespace sallyport::host::http {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t scratchSize = std::size_t{64} * 1024;
constexpr std::uint64_t wakeupKey = 0;
/// Deadlines are looked at no more often than this; none of them is finer than a few times as much.
constexpr auto checkInterval = 50ms;
/// For so long connections have their turns before the loop looks who else has come, and what plugins watch
/// before that.
constexpr auto roundTime = 200us;
/// Tasks may post tasks. So many generations of them are run before the sockets are looked at again.
constexpr int generations = 4;

/// With more requests than these a loop hardly sleeps, and would only take the processor from others.
constexpr std::size_t fewRequests = 2;

/// The loop whose thread this is.
thread_local const EventLoop* current = nullptr;

int checked(int result, const char* what) {
    if (result < 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return result;
}

/// A bijection that scatters consecutive numbers (the finalizer of SplitMix64).
std::uint64_t scatter(std::uint64_t x) {
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31U);
}

std::uint64_t randomStart() {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32U) | device();
}

}  // namespace

EventLoop::EventLoop(Services& services, std::chrono::microseconds busyPoll)
    : services_(services),
      busyPoll_(busyPoll),
      epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wakeup_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      watches_(epoll_.get()),
      now_(Clock::now()),
      requestIds_(randomStart()),
      scratch_(scratchSize),
      turns_(services.limits.jobShare, services.crowd),
      routes_(std::make_shared<const RouteTable>(RouteTable::Routes{})),
      fanout_(
          services_.hub.memory(),
          [this](const auto& owner, auto read, auto done) {
              readStored(owner, std::move(read), std::move(done));
          },
          [this] { post([this] { fanout_.turn(); }); }) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = wakeupKey;
    checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &event), "epoll_ctl");
}

void EventLoop::readStored(const bus::Fanout::Owner& owner, std::function<StoredEvents()> read,
                           const std::function<void(const StoredEvents*)>& done) {
    // On the pool, because reading blocks on the disk.
    const bool queued = services_.pool.submit(
        {Lane::background, owner.user, owner.plugin}, [this, read = std::move(read), done] {
            std::shared_ptr<StoredEvents> events;
            try {
                events = std::make_shared<StoredEvents>(read());
            } catch (const std::exception& error) {
                services_.log.warn("stored events could not be read", {{"error", error.what()}});
            }
            post([done, events] { done(events.get()); });
        });
    if (!queued) {
        post([done] { done(nullptr); });
    }
}

EventLoop::~EventLoop() {
    stop();
}

void EventLoop::start() {
    thread_ = std::thread([this] { run(); });
}

void EventLoop::stop() {
    if (!thread_.joinable()) {
        return;
    }
    advance(Phase::stopped);
    thread_.join();
    // What is destroyed here may be a plugin's, and post another task.
    for (auto left = takeTasks(); !left.empty(); left = takeTasks()) {
        left.clear();
    }
}

void EventLoop::post(Task task) {
    post(0, std::move(task));
}

void EventLoop::post(ConnectionId connection, Task task) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        first = tasks_.empty();
        tasks_.push_back({connection, std::move(task)});
    }
    // One wake-up serves all that is posted until the loop looks, which by itself it does before it sleeps.
    if (first && !isCurrent()) {
        wakeUp();
    }
}

void EventLoop::wakeUp() noexcept {
    const std::uint64_t one = 1;
    while (::write(wakeup_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
}

bool EventLoop::isCurrent() const noexcept {
    return current == this;
}

void EventLoop::postReply(ConnectionId id, std::uint64_t exchange, std::shared_ptr<HostCall> call,
                          Reply reply) {
    // In this order: the reply may hold code that the call keeps loaded.
    struct Completion {
        std::shared_ptr<HostCall> call;
        Reply reply;
    };
    post(id, [this, id, exchange, completion = Completion{std::move(call), std::move(reply)}]() mutable {
        bool taken = false;
        if (auto* connection = find(id)) {
            serve(*connection, [&] { taken = connection->complete(exchange, completion.reply); });
        }
        if (taken) {
            return;
        }
        if (const auto delivered = completion.reply.takeDelivered()) {
            reportDelivery(delivered, false, *completion.call);
        }
        destroyTunnel(completion.reply, *completion.call);
        if (completion.call->route().secret) {
            wipeBody(completion.reply);
        }
    });
}

void EventLoop::run() {
    const entry::WaitingWhereDebugged here(entry::Waiting::Rule::forbidden);
    current = this;
    std::array<epoll_event, 256> events{};
    while (phase_ != Phase::stopped) {
        const auto come = await(events);
        now_ = Clock::now();
        // What was posted before it is run first.
        const Phase wanted = wanted_;
        for (const auto& event : come) {
            handle(event.data.u64, event.events);
        }
        serveWatchesAndTimers();
        runTasks();
        enter(wanted);
        serveTurns();
        if (now_ >= nextCheck_) {
            checkDeadlines();
        }
        bury();
        services_.loops.turned(Clock::now() - now_);
    }
    // Nobody is there any more; what was to be handed over is told so.
    guarded([&] {
        while (auto turn = turns_.takeAny()) {
            serve(*std::move(turn));
        }
    });
    bury();
}

void EventLoop::advance(Phase phase) noexcept {
    wanted_ = phase;
    wakeUp();
}

void EventLoop::enter(Phase phase) {
    if (phase == phase_) {
        return;
    }
    phase_ = phase;
    if (phase == Phase::draining) {
        forEach([](Connection& connection) { connection.drain(); });
    } else {
        forEach([](Connection& connection) { connection.close(); });
    }
}

std::span<const epoll_event> EventLoop::await(std::span<epoll_event> events) {
    const auto look = [&](int milliseconds) {
        const int count =
            ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), milliseconds);
        return static_cast<std::size_t>(std::max(count, 0));
    };
    std::size_t count = 0;
    const int patience = timeout();
    if (wasBusy_ && patience != 0 && requests_ <= fewRequests && busyPoll_.count() > 0) {
        const auto end = Clock::now() + busyPoll_;
        do {
            count = look(0);
        } while (count == 0 && Clock::now() < end);
    }
    if (count == 0) {
        count = look(patience);
    }
    wasBusy_ = count > 0;
    return events.first(count);
}

void EventLoop::handle(std::uint64_t key, std::uint32_t events) {
    if (key == wakeupKey) {
        std::uint64_t ignored = 0;
        static_cast<void>(!::read(wakeup_.get(), &ignored, sizeof ignored));
    } else if (auto* connection = find(key)) {
        serve(*connection, [&] { turns_.of(key, connection->account()).events |= events; });
    } else {
        watches_.report(key, events);
    }
}

/// They share the time, so that however many sockets plugins have connections get their turns.
void EventLoop::serveWatchesAndTimers() {
    const auto end = now_ + roundTime;
    watches_.tell(end,
                  [this](const Watches::Ready& ready, IoEvents events) { guarded([&] { ready(events); }); });
    timers_.expire(now_, end, [this](const std::function<void()>& expired) { guarded(expired); });
}

int EventLoop::timeout() {
    {
        const std::lock_guard lock(mutex_);
        if (!tasks_.empty()) {
            return 0;
        }
    }
    if (watches_.pending()) {
        return 0;
    }
    const auto next = std::min({nextCheck_, turns_.due(), timers_.next()});
    if (next == Clock::time_point::max()) {
        return -1;
    }
    // A turn may be due since the beginning of the clock.
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(next, now_) - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(wait.count(), 0, 60'000));
}

void EventLoop::runTasks() {
    for (int i = 0; i < generations; ++i) {
        auto tasks = takeTasks();
        if (tasks.empty()) {
            return;
        }
        services_.loops.took(tasks.size());
        for (auto& [id, task] : tasks) {
            auto* connection = id == 0 ? nullptr : find(id);
            if (connection == nullptr) {
                run(std::move(task));
            } else {
                serve(*connection,
                      [&] { turns_.of(id, connection->account()).tasks.push_back(std::move(task)); });
            }
        }
    }
}

void EventLoop::run(Task task) noexcept {
    guarded([&task] { task(); });
}

std::vector<EventLoop::Posted> EventLoop::takeTasks() {
    const std::lock_guard lock(mutex_);
    return std::exchange(tasks_, {});
}

void EventLoop::serveLater(const Connection& connection) {
    turns_.of(connection.id(), connection.account()).again = true;
}

void EventLoop::serveTurns() {
    auto began = now_;
    const auto end = began + roundTime;
    while (began < end) {
        std::optional<Turns::Turn> turn;
        guarded([&] { turn = turns_.take(began); });
        if (!turn) {
            return;
        }
        const auto id = turn->connection;
        auto account = turn->account;
        serve(*std::move(turn));
        const auto ended = Clock::now();
        // It may have said who it is.
        if (const auto* connection = find(id)) {
            account = connection->account();
        }
        guarded([&] { turns_.took(account, ended - began, ended); });
        began = ended;
    }
}

void EventLoop::serve(Turns::Turn turn) noexcept {
    if (auto* connection = turn.events == 0 ? nullptr : find(turn.connection)) {
        serve(*connection, [&] { connection->onEvents(turn.events); });
    }
    for (auto& task : turn.tasks) {
        run(std::move(task));
    }
    if (auto* connection = turn.again ? find(turn.connection) : nullptr) {
        serve(*connection, [&] { connection->goOn(); });
    }
}

void EventLoop::report(const char* problem) noexcept {
    log::attempt([&] { services_.log.error("a callback failed", {{"error", problem}}); });
}

void EventLoop::abandon(Connection& connection) noexcept {
    connection.close();
}

void EventLoop::checkDeadlines() {
    nextCheck_ = Clock::time_point::max();
    forEach([this](Connection& connection) {
        if (connection.deadline() <= now_) {
            connection.onDeadline();
        } else {
            wakeBy(connection.deadline());
        }
    });
}

void EventLoop::wakeBy(Clock::time_point deadline) {
    if (deadline < nextCheck_) {
        nextCheck_ = std::max(deadline, now_ + checkInterval);
    }
}

void EventLoop::adopt(std::unique_ptr<Transport> transport, std::unique_ptr<Door::Place> place,
                      const Door& door) {
    post([this, transport = std::move(transport), place = std::move(place), &door]() mutable {
        const auto id = nextId_++;
        const int descriptor = transport->descriptor();
        auto& connection = *connections_
                                .emplace(id, std::make_unique<Connection>(*this, id, std::move(transport),
                                                                          std::move(place), door))
                                .first->second;
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        event.data.u64 = id;
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) < 0) {
            connection.close();
        } else if (draining()) {
            connection.drain();
        }
    });
}

Connection* EventLoop::find(ConnectionId id) {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : found->second.get();
}

void EventLoop::retire(ConnectionId id) noexcept {
    const auto found = connections_.find(id);
    if (found == connections_.end() || !found->second) {
        return;
    }
    found->second->retiredAfter(std::move(graveyard_));
    graveyard_ = std::move(found->second);
}

void EventLoop::bury() noexcept {
    // A destructor may call plugin code, which may close further connections.
    while (graveyard_) {
        const auto connection = std::exchange(graveyard_, graveyard_->takeRetiredBefore());
        connections_.erase(connection->id());
    }
}

const std::string& EventLoop::dateHeader() {
    const Poco::Timestamp time;
    if (time.epochTime() != dateSecond_) {
        dateSecond_ = time.epochTime();
        dateHeader_ =
            "Date: " + Poco::DateTimeFormatter::format(time, Poco::DateTimeFormat::HTTP_FORMAT) + "\r\n";
    }
    return dateHeader_;
}

std::string EventLoop::newRequestId() {
    constexpr std::string_view digits = "0123456789abcdef";
    auto number = scatter(++requestIds_);
    std::string id(16, '0');
    for (auto& digit : id) {
        digit = digits[number & 0xfU];
        number >>= 4U;
    }
    return id;
}

void EventLoop::logDenial(const std::string& requestId, const std::string& path, const Transport& peer) {
    services_.log.info("a request was not authenticated",
                       {{"path", path}, {"peer", peer.peer()}, {"request", requestId}});
}

void EventLoop::setRoutes(std::shared_ptr<const RouteTable> routes) {
    routes_ = std::move(routes);
    ++routesVersion_;
}

template <class F>
void EventLoop::forEach(F function) {
    for (const auto& [id, held] : connections_) {
        if (auto* connection = held.get()) {
            serve(*connection, [&] { function(*connection); });
        }
    }
}

void EventLoop::endRevoked(const std::optional<JobId>& job) {
    forEach([&job](Connection& connection) { connection.endRevoked(job); });
}

void EventLoop::endWaits(const Gate& gate) {
    forEach([&gate](Connection& connection) { connection.endWait(gate); });
}

}  // namespace sallyport::host::http
