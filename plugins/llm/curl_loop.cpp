#include "curl_loop.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <future>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace sallyport::plugins::llm {

namespace {

using namespace std::chrono_literals;

/// Deadlines are looked at no more often than this.
constexpr auto checkInterval = 5ms;
/// Idle connections to all servers together, and easy handles without a call.
constexpr long connectionsKept = 1024;
constexpr std::size_t handlesKept = 128;

int checked(int result, const char* what) {
    if (result < 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return result;
}

}  // namespace

CurlLoop::CurlLoop(std::shared_ptr<IoLoop> loop, Logger& log)
    : loop_(std::move(loop)),
      log_(log),
      epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      timer_(checked(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create")),
      now_(std::chrono::steady_clock::now()),
      multi_(curl_multi_init()) {
    if (!multi_) {
        throw std::runtime_error("libcurl has no handle to give");
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = timer_.get();
    checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event), "epoll_ctl");

    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &CurlLoop::onWatch);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &CurlLoop::onCurlTimer);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, connectionsKept);
}

CurlLoop::~CurlLoop() {
    if (attached_) {
        detach();
    }
}

/// Runs `function` on the loop's thread and returns when it has.
template <class F>
void CurlLoop::onLoop(F function) {
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

void CurlLoop::attach() {
    onLoop([this] {
        loop_->watch(epoll_.get(), [this] { readable(); });
        attached_ = true;
    });
}

void CurlLoop::detach() {
    onLoop([this] {
        loop_->unwatch(epoll_.get());
        attached_ = false;
        cancelAll();
    });
}

void CurlLoop::start(Upstream::Id id, UpstreamRequest request, std::shared_ptr<UpstreamListener> listener) {
    post(Start{id, std::move(request), std::move(listener)});
}

void CurlLoop::cancel(Upstream::Id id) {
    post(Cancel{id});
}

void CurlLoop::setPaused(Upstream::Id id, bool paused) {
    // From a listener it has to hold at once: libcurl may have a lot decoded already.
    if (paused && onOwnThread()) {
        execute(SetPaused{id, paused});
    } else {
        post(SetPaused{id, paused});
    }
}

void CurlLoop::after(std::chrono::milliseconds delay, std::function<void()> task) {
    post(Timer{std::chrono::steady_clock::now() + delay, std::move(task)});
}

void CurlLoop::post(Command command) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        first = commands_.empty();
        commands_.push_back(std::move(command));
    }
    // One turn serves all that comes until then. Weak, because it may come when all is over.
    if (first) {
        loop_->post([weak = weak_from_this()] {
            if (const auto self = weak.lock()) {
                self->turn();
            }
        });
    }
}

void CurlLoop::readable() {
    std::array<epoll_event, 256> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    now_ = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        handle(event.data.fd, event.events);
    }
    collectFinished();
    runTimers();
    turn();
}

void CurlLoop::turn() {
    if (!attached_) {
        return;
    }
    now_ = std::chrono::steady_clock::now();
    runCommands();
    runCurlTimers();
    checkDeadlines();
    collectFinished();
    armTimer();
}

void CurlLoop::armTimer() {
    Time due = std::min(curlDue_, deadlinesDue_);
    if (!timers_.empty()) {
        due = std::min(due, timers_.begin()->first);
    }
    if (due >= armed_) {
        return;  // the timer is heard in time, and set anew then
    }
    armed_ = due;
    const auto time = std::max(due.time_since_epoch(), Time::duration(1));  // zero would disarm it
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    itimerspec setting{};
    setting.it_value = {.tv_sec = seconds.count(), .tv_nsec = (time - seconds).count()};
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &setting, nullptr);
}

void CurlLoop::handle(int descriptor, std::uint32_t events) {
    if (descriptor == timer_.get()) {
        std::uint64_t ignored = 0;
        static_cast<void>(!::read(timer_.get(), &ignored, sizeof ignored));
        armed_ = Time::max();
        return;
    }
    Watch& watch = watches_[static_cast<std::size_t>(descriptor)];
    const bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
    if (watch.wanted == 0 || (!failed && (events & watch.wanted) == 0)) {
        tellEpoll(descriptor, watch, watch.wanted);
        return;
    }
    const int what = ((events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                     ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) | (failed ? CURL_CSELECT_ERR : 0);
    int running = 0;
    curl_multi_socket_action(multi_.get(), descriptor, what, &running);
}

int CurlLoop::onWatch(CURL*, curl_socket_t descriptor, int what, void* self, void*) {
    const bool in = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
    const bool out = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
    static_cast<CurlLoop*>(self)->watch(descriptor, (in ? EPOLLIN : 0U) | (out ? EPOLLOUT : 0U));
    return 0;
}

void CurlLoop::watch(int descriptor, std::uint32_t wanted) {
    const auto index = static_cast<std::size_t>(descriptor);
    if (index >= watches_.size()) {
        watches_.resize(index + 1);
    }
    Watch& watch = watches_[index];
    watch.wanted = wanted;
    // A connection stays registered for reading from one call to the next, which saves two system calls on
    // each. If something comes while nobody wants it, `handle` takes it out.
    const std::uint32_t harmless = watch.connection ? EPOLLIN : 0U;
    if ((watch.registered | wanted) != watch.registered || (watch.registered & ~(wanted | harmless)) != 0) {
        tellEpoll(descriptor, watch, wanted);
    }
}

void CurlLoop::tellEpoll(int descriptor, Watch& watch, std::uint32_t events) {
    if (watch.registered == events) {
        return;
    }
    epoll_event event{};
    event.events = events;
    event.data.fd = descriptor;
    const int operation = events == 0 ? EPOLL_CTL_DEL : watch.registered == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (::epoll_ctl(epoll_.get(), operation, descriptor, &event) == 0 || events == 0) {
        watch.registered = events;
    } else {
        // The call on it will run into a time-out.
        log_.error("a connection to a provider cannot be watched", {{"error", std::strerror(errno)}});
    }
}

int CurlLoop::openSocket(const curl_sockaddr& address) {
    const int descriptor =
        ::socket(address.family, address.socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address.protocol);
    if (descriptor >= 0) {
        watch(descriptor, 0);
        watches_[static_cast<std::size_t>(descriptor)] = {.connection = true};
    }
    return descriptor;
}

void CurlLoop::closeSocket(int descriptor) {
    watches_[static_cast<std::size_t>(descriptor)] = {};
    ::close(descriptor);
}

int CurlLoop::onCurlTimer(CURLM*, long milliseconds, void* self) {
    auto& loop = *static_cast<CurlLoop*>(self);
    loop.curlDue_ = milliseconds < 0 ? Time::max()
                    : milliseconds == 0
                        ? loop.now_
                        : std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    return 0;
}

void CurlLoop::lookBy(Time time) {
    if (time < deadlinesDue_) {
        deadlinesDue_ = std::max(time, now_ + checkInterval);
    }
}

void CurlLoop::runCurlTimers() {
    // libcurl often wants to be called again at once; what it still wants then waits for the timer.
    for (int i = 0; i < 4 && curlDue_ <= now_; ++i) {
        curlDue_ = Time::max();
        int running = 0;
        curl_multi_socket_action(multi_.get(), CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

void CurlLoop::runTimers() {
    while (!timers_.empty() && timers_.begin()->first <= now_) {
        const auto timer = timers_.extract(timers_.begin());
        try {
            timer.mapped()();
        } catch (const std::exception& error) {
            log_.error("a delayed task failed", {{"error", error.what()}});
        } catch (...) {
            log_.error("a delayed task failed", {{"error", "not a std::exception"}});
        }
    }
}

void CurlLoop::checkDeadlines() {
    if (deadlinesDue_ > now_) {
        return;
    }
    deadlinesDue_ = Time::max();
    for (auto next = transfers_.begin(); next != transfers_.end();) {
        const auto transfer = next++;
        if (const auto outcome = transfer->second->overdue(now_)) {
            finish(transfer, *outcome);
        } else {
            lookBy(transfer->second->deadline());
        }
    }
}

std::vector<CurlLoop::Command> CurlLoop::takeCommands() {
    const std::lock_guard lock(mutex_);
    return std::exchange(commands_, {});
}

void CurlLoop::runCommands() {
    for (Command& command : takeCommands()) {
        std::visit([this](auto& specific) { execute(specific); }, command);
    }
}

void CurlLoop::execute(Start& command) {
    // The listener is told even of a call that could not be begun.
    const std::shared_ptr<UpstreamListener> listener = command.listener;
    try {
        std::unique_ptr<CurlTransfer> transfer = freeTransfer();
        transfer->begin(command.id, std::move(command.request), std::move(command.listener));
        const CURLMcode result = curl_multi_add_handle(multi_.get(), transfer->easy());
        if (result != CURLM_OK) {
            throw std::runtime_error(curl_multi_strerror(result));
        }
        transfers_.emplace(command.id, std::move(transfer));
    } catch (const std::exception& error) {
        tellDone(*listener, {UpstreamProblem::broken, error.what()});
    }
}

void CurlLoop::execute(const Cancel& command) {
    const auto transfer = transfers_.find(command.id);
    if (transfer != transfers_.end()) {
        finish(transfer, {UpstreamProblem::cancelled, "it was no longer wanted"});
    }
}

void CurlLoop::execute(const SetPaused& command) {
    const auto transfer = transfers_.find(command.id);
    if (transfer == transfers_.end()) {
        return;
    }
    if (command.paused) {
        transfer->second->pause();
    } else if (const auto outcome = transfer->second->resume()) {
        finish(transfer, *outcome);
    }
}

void CurlLoop::execute(Timer& command) {
    timers_.emplace(command.due, std::move(command.task));
}

std::unique_ptr<CurlTransfer> CurlLoop::freeTransfer() {
    if (spare_.empty()) {
        TransferOwner& owner = *this;
        return std::make_unique<CurlTransfer>(owner);
    }
    std::unique_ptr<CurlTransfer> transfer = std::move(spare_.back());
    spare_.pop_back();
    return transfer;
}

void CurlLoop::collectFinished() {
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        const CurlTransfer& transfer = CurlTransfer::of(message->easy_handle);
        finish(transfers_.find(transfer.id()), transfer.outcome(message->data.result));
    }
}

void CurlLoop::finish(Transfers::iterator transfer, const Outcome& outcome) {
    std::unique_ptr<CurlTransfer> finished = std::move(transfer->second);
    transfers_.erase(transfer);
    // This closes the connection of a call that is not done.
    curl_multi_remove_handle(multi_.get(), finished->easy());
    const std::shared_ptr<UpstreamListener> listener = finished->end();
    if (spare_.size() < handlesKept) {
        spare_.push_back(std::move(finished));
    }
    tellDone(*listener, outcome);
}

void CurlLoop::tellDone(UpstreamListener& listener, const Outcome& outcome) {
    try {
        listener.onDone(outcome.problem, outcome.detail);
    } catch (const std::exception& error) {
        log_.error("a call's listener failed", {{"error", error.what()}});
    } catch (...) {
        log_.error("a call's listener failed", {{"error", "not a std::exception"}});
    }
}

void CurlLoop::cancelAll() {
    const Outcome cancelled{UpstreamProblem::cancelled, "the client is stopping"};
    timers_.clear();
    while (!transfers_.empty()) {
        finish(transfers_.begin(), cancelled);
    }
    // What listeners begin on hearing of it is ended in turn.
    for (std::vector<Command> commands = takeCommands(); !commands.empty(); commands = takeCommands()) {
        for (const Command& command : commands) {
            if (const auto* const start = std::get_if<Start>(&command)) {
                tellDone(*start->listener, cancelled);
            }
        }
    }
}

}  // namespace sallyport::plugins::llm
