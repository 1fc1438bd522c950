// An epoll set for tests of what works on one, without the rest of a loop.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <map>
#include <system_error>

#include <sys/epoll.h>
#include <unistd.h>

#include <sallyport/file_descriptor.h>

#include "plugins/llm/upstream/socket.h"
#include "tests/support/deadline.h"

namespace sallyport::plugins::llm {

/// Runs in the test's own thread, as long as the test waits for something.
class SocketLoop final : public SocketSet {
public:
    SocketLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

    bool refuses = false;  ///< to watch anything

    std::uint64_t watch(int descriptor, Watcher& watcher) override {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        event.data.u64 = ++last_;
        if (refuses || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
            throw std::system_error(refuses ? ENOSPC : errno, std::generic_category());
        }
        watchers_[last_] = &watcher;
        return last_;
    }
    void rewatch(std::uint64_t watch, Watcher& watcher) override { watchers_.at(watch) = &watcher; }
    void unwatch(std::uint64_t watch) override { watchers_.erase(watch); }

    [[nodiscard]] std::size_t watched() const { return watchers_.size(); }

    /// Tells watchers of events until that is so.
    void runUntil(const std::function<bool()>& isSo) {
        const tests::Deadline deadline;
        while (!isSo()) {
            std::array<epoll_event, 16> events{};
            const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                           deadline.pollTimeout());
            if (count == 0) {
                throw tests::TimedOut("gave up waiting for sockets");
            }
            for (int i = 0; i < count; ++i) {
                const epoll_event& event = events[static_cast<std::size_t>(i)];
                if (const auto watcher = watchers_.find(event.data.u64); watcher != watchers_.end()) {
                    watcher->second->onEvents(static_cast<IoEvents>(event.events));
                }
            }
        }
    }

    /// Runs until something can be read from a descriptor that is the test's, or accepted.
    void runUntilReadable(int descriptor) {
        struct Flag final : Watcher {
            void onEvents(IoEvents events) override { set = set || has(events, IoEvents::readable); }
            bool set = false;
        } flag;
        const std::uint64_t number = watch(descriptor, flag);
        runUntil([&] { return flag.set; });
        unwatch(number);
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
    }

private:
    const FileDescriptor epoll_;
    std::uint64_t last_ = 0;
    std::map<std::uint64_t, Watcher*> watchers_;
};

}  // namespace sallyport::plugins::llm
