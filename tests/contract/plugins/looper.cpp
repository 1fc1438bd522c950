// Does its work on the host's event loops, and leaves a watch and a timer behind when it goes.
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sallyport/ext/io.h>
#include <sallyport/file_descriptor.h>
#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

class Looper final : public Plugin {
public:
    ~Looper() override { ::close(event_); }

    void start(Host& host) override {
        loops_ = host.extension<IoLoops>()->loops();
        Routes& routes = host.routes();
        routes.operators("GET", "/looper/posted", [this](const Call&) { return posted(); },
                         {.run = Run::loop});
        routes.operators("GET", "/looper/from_outside", [this](const Call&) { return fromOutside(); });
        routes.operators("GET", "/looper/watched", [this](const Call&) { return watched(); },
                         {.run = Run::loop});
        routes.operators("GET", "/looper/relayed", [this](const Call&) { return relayed(); },
                         {.run = Run::loop});
        routes.operators("GET", "/looper/timed", [this](const Call&) { return timed(); }, {.run = Run::loop});
        routes.operators("GET", "/looper/left", [this](const Call&) { return left(); }, {.run = Run::loop});
    }

private:
    static Reply text(const std::string& text) { return Reply::text(200, "text/plain", text); }

    /// The loop that the handler is on.
    [[nodiscard]] std::shared_ptr<IoLoop> here() const {
        for (const auto& loop : loops_) {
            if (loop->isCurrent()) {
                return loop;
            }
        }
        throw std::logic_error("not on a loop");
    }

    /// Tasks that are posted on the loop, the last of which answers.
    [[nodiscard]] Reply posted() const {
        return Reply::deferred([loop = here()](const Promise& promise) {
            const auto order = std::make_shared<std::string>();
            loop->post([order] { *order += " first"; });
            loop->post([] { throw std::runtime_error("a task that fails"); });
            loop->post([order, loop, promise] {
                *order += loop->isCurrent() ? " second" : " elsewhere";
                loop->post([order, promise] { promise.fulfil(text(*order + " third")); });
            });
            *order += "start";
        });
    }

    /// From a pool's thread all loops are elsewhere, and a task answers from one.
    [[nodiscard]] Reply fromOutside() const {
        std::string where;
        for (const auto& loop : loops_) {
            where += loop->isCurrent() ? "on a loop" : "";
        }
        return Reply::deferred([this, where](const Promise& promise) {
            // Of the last one, which need not be the connection's.
            loops_.back()->post([this, where, promise] {
                promise.fulfil(text(where + (loops_.back()->isCurrent() ? "posted" : "lost")));
            });
        });
    }

    /// Calls that come while there is something to read, and end with the watch.
    [[nodiscard]] Reply watched() {
        return Reply::deferred([this, loop = here()](const Promise& promise) {
            signal();
            loop->watch(event_, [this, loop, promise, calls = 0]() mutable {
                if (++calls == 2) {
                    throw std::runtime_error("a watch that fails");
                }
                if (calls == 3) {
                    loop->unwatch(event_);
                    loop->unwatch(event_);
                    promise.fulfil(text("called " + std::to_string(calls) + " times"));
                }
            });
        });
    }

    /// Bytes that go from one socket to another for as long as either can, and count themselves.
    class Relay : public std::enable_shared_from_this<Relay> {
    public:
        Relay(std::shared_ptr<IoLoop> loop, Promise promise)
            : loop_(std::move(loop)), promise_(std::move(promise)) {
            std::array<int, 2> ends{};
            static_cast<void>(
                ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()));
            from_ = FileDescriptor(ends[0]);
            to_ = FileDescriptor(ends[1]);
        }

        void start() {
            const auto self = shared_from_this();
            loop_->watch(from_.get(), IoEvents::writable, IoTrigger::edge,
                         [self](IoEvents) { self->send(); });
            loop_->watch(to_.get(), IoEvents::readable, IoTrigger::level,
                         [self](IoEvents events) { self->receive(events); });
        }

    private:
        static constexpr std::size_t all = std::size_t{4} << 20U;

        void send() {
            while (sent_ < all) {
                const auto size = ::send(from_.get(), bytes_.data(), bytes_.size(), MSG_NOSIGNAL);
                if (size < 0) {
                    ++waited_;
                    return;
                }
                sent_ += static_cast<std::size_t>(size);
            }
            ::shutdown(from_.get(), SHUT_WR);
        }

        void receive(IoEvents events) {
            const auto size = ::recv(to_.get(), bytes_.data(), bytes_.size(), 0);
            if (size > 0) {
                received_ += static_cast<std::size_t>(size);
                return;
            }
            if (size < 0 || !has(events, IoEvents::ended)) {
                return;
            }
            loop_->unwatch(from_.get());
            loop_->unwatch(to_.get());
            const bool whole = received_ == sent_ && sent_ >= all;
            promise_.fulfil(text(whole && waited_ > 0 ? "whole" : "not whole"));
        }

        const std::shared_ptr<IoLoop> loop_;
        const Promise promise_;
        FileDescriptor from_;
        FileDescriptor to_;
        std::array<char, 16384> bytes_{};
        std::size_t sent_ = 0;
        std::size_t received_ = 0;
        int waited_ = 0;
    };

    [[nodiscard]] Reply relayed() const {
        return Reply::deferred(
            [loop = here()](const Promise& promise) { std::make_shared<Relay>(loop, promise)->start(); });
    }

    /// A timer that arms itself and answers at its third time.
    [[nodiscard]] Reply timed() {
        return Reply::deferred([this, loop = here()](const Promise& promise) {
            timer_ = loop->timer([this, promise, times = 0]() mutable {
                timer_->arm(IoTimer::Clock::now());
                if (++times == 2) {
                    throw std::runtime_error("a timer that fails");
                }
                if (times == 3) {
                    timer_->cancel();
                    promise.fulfil(text("expired " + std::to_string(times) + " times"));
                    timer_.reset();
                }
            });
            timer_->arm(IoTimer::Clock::now());
        });
    }

    /// Has something to read from then on and somebody who does not read it, and a timer that always is due.
    [[nodiscard]] Reply left() {
        signal();
        here()->watch(event_, [this] { ++calls_; });
        timer_ = here()->timer([this] {
            ++calls_;
            timer_->arm(IoTimer::Clock::now());
        });
        timer_->arm(IoTimer::Clock::now());
        return text("left");
    }

    void signal() const {
        const std::uint64_t one = 1;
        static_cast<void>(!::write(event_, &one, sizeof one));
    }

    const int event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::vector<std::shared_ptr<IoLoop>> loops_;
    std::unique_ptr<IoTimer> timer_;
    std::uint64_t calls_ = 0;
};

}  // namespace

SALLYPORT_PLUGIN(Looper, "looper", "1", "Works on the event loops")
