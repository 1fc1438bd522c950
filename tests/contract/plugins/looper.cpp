// Does its work on the host's event loops, and leaves a watch behind when it goes.
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/eventfd.h>
#include <unistd.h>

#include <sallyport/ext/io.h>
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

    /// Has something to read from then on, and somebody who does not read it.
    [[nodiscard]] Reply left() {
        signal();
        here()->watch(event_, [this] { ++calls_; });
        return text("left");
    }

    void signal() const {
        const std::uint64_t one = 1;
        static_cast<void>(!::write(event_, &one, sizeof one));
    }

    const int event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::vector<std::shared_ptr<IoLoop>> loops_;
    std::uint64_t calls_ = 0;
};

}  // namespace

SALLYPORT_PLUGIN(Looper, "looper", "1", "Works on the event loops")
