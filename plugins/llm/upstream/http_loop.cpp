#include "http_loop.h"

#include <algorithm>
#include <exception>
#include <future>
#include <iterator>
#include <utility>

namespace sallyport::plugins::llm {

namespace {

using namespace std::chrono_literals;

/// Deadlines are looked at no more often than this.
constexpr auto checkInterval = 5ms;

/// How long all commands together have the loop at a time, and one call. What one does in one go can take
/// longer. All sockets together have as long as the loop gives them.
constexpr auto longestTurn = 200us;
constexpr auto longestShare = 50us;

/// Of one read.
constexpr std::size_t bufferSize = std::size_t{64} * 1024;

}  // namespace

HttpLoop::HttpLoop(std::shared_ptr<IoLoop> loop, TlsContexts& tls, Logger& log)
    : loop_(std::move(loop)),
      tls_(tls),
      log_(log),
      now_(std::chrono::steady_clock::now()),
      buffer_(bufferSize) {}

HttpLoop::~HttpLoop() {
    if (attached_) {
        detach();
    }
}

/// Runs `function` on the loop's thread and returns when it has.
template <class F>
void HttpLoop::onLoop(F function) {
    if (onOwnThread()) {
        function();
        return;
    }
    std::promise<void> done;
    loop_->post([&] {
        try {
            function();
            done.set_value();
        } catch (...) {
            done.set_exception(std::current_exception());
        }
    });
    done.get_future().get();
}

void HttpLoop::attach() {
    onLoop([this] {
        // Like all that happens to calls: an answer may set deadlines.
        resolver_.emplace([weak = weak_from_this(), loop = loop_](auto task) {
            loop->post([weak, task = std::move(task)]() mutable {
                if (const auto self = weak.lock()) {
                    self->enter([&task] { task(); });
                }
            });
        });
        timer_ = loop_->timer([this] {
            armed_ = Time::max();
            turn();
        });
        attached_ = true;
    });
}

void HttpLoop::detach() {
    onLoop([this] {
        attached_ = false;
        cancelAll();
        pool_.clear();
        timer_ = nullptr;
        resolver_.reset();
    });
}

void HttpLoop::start(Upstream::Id id, PreparedRequest request, std::shared_ptr<UpstreamListener> listener) {
    post(Start{id, std::move(request), std::move(listener)});
}

void HttpLoop::cancel(Upstream::Id id) {
    post(Cancel{id});
}

void HttpLoop::setPaused(Upstream::Id id, bool paused) {
    // From a listener it has to hold at once: a lot may have been read already.
    if (paused && onOwnThread()) {
        execute(SetPaused{id, paused});
    } else {
        post(SetPaused{id, paused});
    }
}

void HttpLoop::after(std::chrono::milliseconds delay, std::function<void()> task) {
    post(Timer{std::chrono::steady_clock::now() + delay, std::move(task)});
}

void HttpLoop::again(Upstream::Id call) {
    post(GoOn{call});
}

void HttpLoop::post(Command command) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        first = commands_.empty();
        commands_.push_back(std::move(command));
    }
    // One turn serves all that comes until then. Weak, because it may come when all is over.
    if (first) {
        postTurn();
    }
}

void HttpLoop::postTurn() {
    loop_->post([weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
            self->turn();
        }
    });
}

/// Every way from the loop into this one goes through here.
template <class F>
void HttpLoop::enter(F function) {
    if (!attached_) {
        return;
    }
    now_ = std::chrono::steady_clock::now();
    function();
    armTimer();
    graveyard_.clear();
}

void HttpLoop::turn() {
    enter([this] {
        runTimers();
        runCommands();
        checkDeadlines();
    });
}

HttpLoop::Time HttpLoop::turnEnd() const {
    return std::chrono::steady_clock::now() + longestShare;
}

bool HttpLoop::isTurnOver() const {
    return std::chrono::steady_clock::now() >= now_ + longestTurn;
}

void HttpLoop::armTimer() {
    Time due = deadlinesDue_;
    if (!timers_.empty()) {
        due = std::min(due, timers_.begin()->first);
    }
    if (due < armed_) {  // else the timer is heard in time, and armed anew then
        armed_ = due;
        timer_->arm(due);
    }
}

std::uint64_t HttpLoop::watch(int descriptor, Watcher& watcher) {
    auto watched = std::make_unique<Watched>(Watched{descriptor, &watcher});
    loop_->watch(descriptor, watchedFor, IoTrigger::edge, [this, &kept = *watched](IoEvents events) {
        enter([&] { kept.watcher->onEvents(events); });
    });
    watched_.emplace(++watches_, std::move(watched));
    return watches_;
}

void HttpLoop::rewatch(std::uint64_t watch, Watcher& watcher) {
    watched_.at(watch)->watcher = &watcher;
}

void HttpLoop::unwatch(std::uint64_t watch) {
    const auto found = watched_.find(watch);
    if (found != watched_.end()) {
        loop_->unwatch(found->second->descriptor);
        watched_.erase(found);
    }
}

Dial::Parts HttpLoop::dialParts() {
    const auto resolve = [this](const std::string& host, std::uint16_t port, Resolver::Done done) {
        resolver_->resolve(host, port, std::move(done));
    };
    return {*this, resolve, tls_};
}

std::unique_ptr<Socket> HttpLoop::takeConnection(const std::string& poolKey) {
    return pool_.take(poolKey);
}

void HttpLoop::lookBy(Time time) {
    deadlinesDue_ = std::min(deadlinesDue_, std::max(time, now_ + checkInterval));
}

template <class F>
void HttpLoop::guarded(const char* failure, F function) {
    try {
        function();
    } catch (const std::exception& error) {
        log_.error(failure, {{"error", error.what()}});
    } catch (...) {
        log_.error(failure, {{"error", "not a std::exception"}});
    }
}

void HttpLoop::runTimers() {
    while (!timers_.empty() && timers_.begin()->first <= now_) {
        const auto timer = timers_.extract(timers_.begin());
        guarded("a delayed task failed", timer.mapped());
    }
}

void HttpLoop::checkDeadlines() {
    if (deadlinesDue_ > now_) {
        return;
    }
    pool_.prune(now_);
    deadlinesDue_ = Time::max();
    lookBy(pool_.nextPruning());
    for (auto next = calls_.begin(); next != calls_.end();) {
        HttpCall& call = *(next++)->second;
        if (call.deadline() <= now_) {
            call.checkTime(now_);
        }
        lookBy(call.deadline());
    }
}

std::vector<HttpLoop::Command> HttpLoop::takeCommands() {
    const std::lock_guard lock(mutex_);
    return std::exchange(commands_, {});
}

/// Those that came before others which have been posted meanwhile.
void HttpLoop::putBack(std::vector<Command> commands, std::size_t done) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        first = commands_.empty();
        commands_.insert(commands_.begin(),
                         std::make_move_iterator(commands.begin() + static_cast<std::ptrdiff_t>(done)),
                         std::make_move_iterator(commands.end()));
    }
    if (first) {
        postTurn();
    }
}

/// At least one, so that all get on.
void HttpLoop::runCommands() {
    std::vector<Command> commands = takeCommands();
    for (std::size_t done = 0; done < commands.size();) {
        std::visit([this](auto& specific) { execute(specific); }, commands[done++]);
        if (done < commands.size() && isTurnOver()) {
            putBack(std::move(commands), done);
            return;
        }
    }
}

void HttpLoop::execute(Start& command) {
    CallOwner& owner = *this;
    auto call = std::make_unique<HttpCall>(owner, command.id, std::move(command.request),
                                           std::move(command.listener));
    HttpCall& started = *call;
    calls_.emplace(command.id, std::move(call));
    started.start();
}

void HttpLoop::execute(const Cancel& command) {
    if (HttpCall* const call = find(command.id)) {
        call->end({UpstreamProblem::cancelled, "it was no longer wanted"});
    }
}

void HttpLoop::execute(const SetPaused& command) {
    HttpCall* const call = find(command.id);
    if (call == nullptr) {
        return;
    }
    if (command.paused) {
        call->pause();
    } else {
        call->resume();
    }
}

void HttpLoop::execute(const GoOn& command) {
    if (HttpCall* const call = find(command.id)) {
        call->goOn();
    }
}

void HttpLoop::execute(Timer& command) {
    timers_.emplace(command.due, std::move(command.task));
}

HttpCall* HttpLoop::find(Upstream::Id id) {
    const auto call = calls_.find(id);
    return call == calls_.end() ? nullptr : call->second.get();
}

void HttpLoop::ended(HttpCall& call, const Outcome& outcome, const std::string& poolKey,
                     std::unique_ptr<Socket> connection) {
    if (connection) {
        pool_.keep(poolKey, std::move(connection), now_);
        lookBy(pool_.nextPruning());
    }
    const auto found = calls_.find(call.id());
    graveyard_.push_back(std::move(found->second));
    calls_.erase(found);
    guarded("a call's listener failed", [&] { call.listener().onDone(outcome.problem, outcome.detail); });
}

void HttpLoop::cancelAll() {
    const Outcome cancelled{UpstreamProblem::cancelled, "the client is stopping"};
    timers_.clear();
    while (!calls_.empty()) {
        calls_.begin()->second->end(cancelled);
    }
    // What listeners begin on hearing of it is ended in turn.
    for (std::vector<Command> commands = takeCommands(); !commands.empty(); commands = takeCommands()) {
        for (const Command& command : commands) {
            if (const auto* const start = std::get_if<Start>(&command)) {
                guarded("a call's listener failed",
                        [&] { start->listener->onDone(cancelled.problem, cancelled.detail); });
            }
        }
    }
    graveyard_.clear();
}

}  // namespace sallyport::plugins::llm
