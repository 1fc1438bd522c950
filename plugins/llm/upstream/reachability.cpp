#include "reachability.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <unordered_map>
#include <utility>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <sallyport/ext/io.h>
#include <sallyport/file_descriptor.h>

namespace sallyport::plugins::llm {

namespace {

using Clock = std::chrono::steady_clock;

int orThrow(int result, const char* what) {
    if (result < 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return result;
}

/// Where the resolver's threads post to.
class Mailbox {
public:
    Mailbox() : filled_(orThrow(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {}

    void post(std::function<void()> task) {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(filled_.get(), &one, sizeof one);
    }

    /// Readable once something has been posted.
    [[nodiscard]] int descriptor() const noexcept { return filled_.get(); }

    void runTasks() {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = ::read(filled_.get(), &count, sizeof count);
        std::vector<std::function<void()>> tasks;
        {
            const std::lock_guard lock(mutex_);
            tasks.swap(tasks_);
        }
        for (const auto& task : tasks) {
            task();
        }
    }

private:
    const FileDescriptor filled_;
    std::mutex mutex_;
    std::vector<std::function<void()>> tasks_;
};

class Sockets final : public SocketSet {
public:
    explicit Sockets(Mailbox& mailbox)
        : mailbox_(mailbox), epoll_(orThrow(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = mail;
        orThrow(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, mailbox_.descriptor(), &event), "epoll_ctl");
    }

    std::uint64_t watch(int descriptor, Watcher& watcher) override {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        event.data.u64 = last_ + 1;
        orThrow(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
        watchers_[++last_] = &watcher;
        return last_;
    }
    void rewatch(std::uint64_t watch, Watcher& watcher) override { watchers_.at(watch) = &watcher; }
    void unwatch(std::uint64_t watch) override { watchers_.erase(watch); }

    /// Tells of what happens, until then at the latest.
    void turn(Clock::time_point until) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        std::array<epoll_event, 64> events{};
        const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                       static_cast<int>(std::max(left, std::int64_t{0})));
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            if (event.data.u64 == mail) {
                mailbox_.runTasks();
            } else if (const auto watcher = watchers_.find(event.data.u64); watcher != watchers_.end()) {
                watcher->second->onEvents(static_cast<IoEvents>(event.events));
            }
        }
    }

private:
    static constexpr std::uint64_t mail = 0;

    Mailbox& mailbox_;
    const FileDescriptor epoll_;
    std::uint64_t last_ = mail;
    std::unordered_map<std::uint64_t, Watcher*> watchers_;
};

/// One destination on its way.
class Journey final : private DialListener {
public:
    Journey(Dial::Parts parts, const Destination& destination, Clock::time_point now)
        : deadline_(now + destination.patience),
          dial_(std::in_place, std::move(parts), destination.route, static_cast<DialListener&>(*this)) {}

    void start() { dial_->start(); }

    /// Does what the time wants. @return whether it goes on.
    bool goesOn(Clock::time_point now) {
        if (!outcome_ && now >= deadline_) {
            outcome_ = {UpstreamProblem::connectTimeout, "there was no answer in time"};
        }
        if (!outcome_ && now >= dial_->nextTry()) {
            dial_->tryNext(now);
        }
        if (outcome_) {
            dial_.reset();
        }
        return !outcome_;
    }

    /// When that is to be called again. [while it goes on]
    [[nodiscard]] Clock::time_point next() const { return std::min(deadline_, dial_->nextTry()); }

    [[nodiscard]] const Outcome& outcome() const { return *outcome_; }

private:
    void onConnected(std::unique_ptr<Socket> /*socket*/, IoEvents /*events*/) override { outcome_.emplace(); }
    void onDialFailed(const Outcome& outcome) override { outcome_ = outcome; }
    void onNextTry(Clock::time_point /*time*/) override {}

    const Clock::time_point deadline_;
    std::optional<Dial> dial_;
    std::optional<Outcome> outcome_;
};

}  // namespace

std::vector<Outcome> reach(const std::vector<Destination>& destinations) {
    const auto mailbox = std::make_shared<Mailbox>();
    Sockets sockets(*mailbox);
    Resolver resolver([mailbox](auto task) { mailbox->post(std::move(task)); });
    TlsContexts tls;
    std::vector<std::unique_ptr<Journey>> journeys;
    for (const Destination& destination : destinations) {
        const auto resolve = [&resolver](const std::string& host, std::uint16_t port, Resolver::Done done) {
            resolver.resolve(host, port, std::move(done));
        };
        journeys.push_back(
            std::make_unique<Journey>(Dial::Parts{sockets, resolve, tls}, destination, Clock::now()));
        journeys.back()->start();
    }
    for (;;) {
        auto next = Clock::time_point::max();
        for (const auto& journey : journeys) {
            if (journey->goesOn(Clock::now())) {
                next = std::min(next, journey->next());
            }
        }
        if (next == Clock::time_point::max()) {
            break;
        }
        sockets.turn(next);
    }
    std::vector<Outcome> outcomes;
    for (const auto& journey : journeys) {
        outcomes.push_back(journey->outcome());
    }
    return outcomes;
}

}  // namespace sallyport::plugins::llm
