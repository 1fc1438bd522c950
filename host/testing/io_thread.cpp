#include "host/testing/io_thread.h"

#include <array>
#include <cerrno>
#include <latch>
#include <system_error>
#include <utility>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace sallyport::testing {

namespace {

int checked(int result, const char* what) {
    if (result < 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return result;
}

void add(int epoll, int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    checked(::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
}

}  // namespace

IoThread::IoThread()
    : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wakeup_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
    add(epoll_.get(), wakeup_.get());
    thread_ = std::thread([this] { run(); });
}

IoThread::~IoThread() {
    post([this] { stopping_ = true; });
    thread_.join();
}

bool IoThread::isCurrent() const noexcept {
    return std::this_thread::get_id() == thread_.get_id();
}

void IoThread::post(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wakeup_.get(), &one, sizeof one));
}

void IoThread::watch(int descriptor, std::function<void()> readable) {
    add(epoll_.get(), descriptor);
    watches_[descriptor] = std::make_shared<std::function<void()>>(std::move(readable));
}

void IoThread::unwatch(int descriptor) {
    if (watches_.erase(descriptor) > 0) {
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
    }
}

void IoThread::endWatches() {
    std::latch done(1);
    post([this, &done] {
        while (!watches_.empty()) {
            unwatch(watches_.begin()->first);
        }
        done.count_down();
    });
    done.wait();
}

void IoThread::run() {
    while (!stopping_) {
        std::array<epoll_event, 16> events{};
        const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
            if (descriptor == wakeup_.get()) {
                std::uint64_t ignored = 0;
                static_cast<void>(!::read(descriptor, &ignored, sizeof ignored));
            } else if (const auto watch = watches_.find(descriptor); watch != watches_.end()) {
                const auto readable = watch->second;  // it may end its own watch
                (*readable)();
            }
        }
        runTasks();
    }
}

void IoThread::runTasks() {
    std::vector<std::function<void()>> tasks;
    {
        const std::lock_guard lock(mutex_);
        tasks.swap(tasks_);
    }
    for (const auto& task : tasks) {
        task();
    }
}

std::vector<std::shared_ptr<IoLoop>> ioThreads(std::size_t count) {
    std::vector<std::shared_ptr<IoLoop>> loops;
    for (std::size_t i = 0; i < count; ++i) {
        loops.push_back(std::make_shared<IoThread>());
    }
    return loops;
}

}  // namespace sallyport::testing
