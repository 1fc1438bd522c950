#include "host/testing/io_thread.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/entry/waiting.h"
#include "host/http/gate.h"
#include "host/plugins/plugin_loop.h"

namespace sallyport::testing {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t wakeupKey = 0;

int checked(int result, const char* what) {
    if (result < 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return result;
}

}  // namespace

IoThread::IoThread()
    : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wakeup_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      watches_(epoll_.get()) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = wakeupKey;
    checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &event), "epoll_ctl");
    thread_ = std::thread([this] { run(); });
}

IoThread::~IoThread() {
    post([this] { stopping_ = true; });
    thread_.join();
}

bool IoThread::isCurrent() const noexcept {
    return std::this_thread::get_id() == thread_.get_id();
}

void IoThread::post(host::http::Task task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wakeup_.get(), &one, sizeof one));
}

void IoThread::run() {
    const host::entry::Waiting here(host::entry::Waiting::Rule::forbidden);
    while (!stopping_) {
        std::array<epoll_event, 16> events{};
        const int count =
            ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout());
        const auto now = Clock::now();
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            if (event.data.u64 == wakeupKey) {
                std::uint64_t ignored = 0;
                static_cast<void>(!::read(wakeup_.get(), &ignored, sizeof ignored));
            } else {
                watches_.report(event.data.u64, event.events);
            }
        }
        watches_.tell(Clock::time_point::max(), [](const auto& ready, IoEvents what) { ready(what); });
        timers_.expire(now, Clock::time_point::max(), [](const auto& expired) { expired(); });
        for (auto& task : takeTasks()) {
            task();
            task = {};
        }
    }
}

int IoThread::timeout() const {
    const auto next = timers_.next();
    if (next == Clock::time_point::max()) {
        return -1;
    }
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(wait.count(), 0, 60'000));
}

std::vector<host::http::Task> IoThread::takeTasks() {
    const std::lock_guard lock(mutex_);
    return std::exchange(tasks_, {});
}

std::vector<std::shared_ptr<IoLoop>> ioThreads(std::size_t count, Logger& log) {
    struct Own {
        explicit Own(Logger& log)
            : loop(std::make_shared<host::plugins::PluginLoop>(
                  thread, nullptr, std::make_shared<host::http::Gate>("test", "1", &log))) {}
        ~Own() { loop->end(); }
        Own(const Own&) = delete;
        Own& operator=(const Own&) = delete;

        IoThread thread;
        std::shared_ptr<host::plugins::PluginLoop> loop;
    };
    std::vector<std::shared_ptr<IoLoop>> loops;
    for (std::size_t i = 0; i < count; ++i) {
        auto own = std::make_shared<Own>(log);
        auto* const loop = own->loop.get();
        loops.emplace_back(std::move(own), loop);
    }
    return loops;
}

}  // namespace sallyport::testing
