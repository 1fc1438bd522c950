// Does what no plugin should: throws out of callbacks, crashes, never returns.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sallyport/ext/io.h>
#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

constexpr Setting settings[] = {
    {"gate", SettingKind::text, "", "a FIFO that /hostile/stuck reads before it answers"},
};

[[noreturn]] void fail(const char* what) {
    throw std::runtime_error(what);
}

/// Uses up the stack.
__attribute__((noinline)) int recurse(const volatile char* above) {
    if (*above == 'x') {
        return 0;
    }
    volatile char room[4096];
    room[0] = '.';
    return recurse(room) + room[0];
}

class Hostile final : public Plugin {
public:
    ~Hostile() override { std::fputs("hostile was destroyed\n", stderr); }

    void start(Host& host) override {
        gate_ = host.settings().text("gate");
        addThrowing(host.routes(), host);
        addCrashing(host.routes());
        addStuck(host.routes());
    }

    void stop() override {
        {
            const std::lock_guard lock(mutex_);
            streams_.clear();
            promises_.clear();
        }
        std::fputs("hostile was stopped\n", stderr);
        fail("stop");
    }

private:
    void addThrowing(Routes& routes, Host& host) {
        routes.worker("GET", "/hostile/closed", [this](const Call&) {
            return Reply::stream(200, "text/plain", [this](const std::shared_ptr<Stream>& stream) {
                stream->write("begun\n");
                stream->onClosed([] { fail("closed"); });
                keep(stream);
            });
        });
        routes.worker("GET", "/hostile/drained", [this](const Call&) {
            return Reply::stream(200, "text/plain", [this](const std::shared_ptr<Stream>& stream) {
                stream->write(std::string(20'000'000, 'x'));
                stream->onDrained([] { fail("drained"); });
                keep(stream);
            });
        });
        routes.worker("GET", "/hostile/abandoned", [this, &host](const Call&) {
            return Reply::deferred([this, &host](const Promise& promise) {
                promise.onAbandoned([] { fail("abandoned"); });
                host.log().info("a promise waits");
                const std::lock_guard lock(mutex_);
                promises_.push_back(promise);
            });
        });
        routes.worker("GET", "/hostile/delivered", [](const Call&) {
            return Reply::empty(204).onDelivered([](bool) { fail("delivered"); });
        });
        routes.worker("GET", "/hostile/posted", [&host](const Call&) {
            host.extension<IoLoops>()->loops().front()->post([] { fail("posted"); });
            return Reply::empty(204);
        });
        routes.worker("GET", "/hostile/run", [&host](const Call&) {
            host.run([] { fail("run"); });
            return Reply::empty(204);
        });
        routes.worker("GET", "/hostile/done", [&host](const Call&) {
            host.store().submit([](Transaction&) {}, [](const std::exception_ptr&) { fail("done"); });
            return Reply::empty(204);
        });
        // A destructor that calls what holds the closure: nothing may be locked while it runs.
        routes.worker("GET", "/hostile/replaced", [this](const Call&) {
            return Reply::stream(200, "text/plain", [this](const std::shared_ptr<Stream>& stream) {
                struct Asks {
                    std::shared_ptr<Stream> stream;
                    ~Asks() { stream->write(std::to_string(stream->pending()) + " pending\n"); }
                };
                stream->onClosed([asks = std::shared_ptr<Asks>(new Asks{stream})] {});
                stream->onClosed([] {});
                stream->end();
                keep(stream);
            });
        });
        host.bus().subscribe<JobStarted>([](const JobStarted&) { fail("subscribed"); });
        host.every(std::chrono::milliseconds(20), [thrown = false]() mutable {
            if (!std::exchange(thrown, true)) {
                fail("every");
            }
        });
    }

    static void addCrashing(Routes& routes) {
        const auto crash = [](const Call&) -> Reply {
            ::raise(SIGSEGV);
            return Reply::empty(204);
        };
        routes.worker("GET", "/hostile/segv", crash);
        routes.worker("GET", "/hostile/segv_on_the_loop", crash, {.run = Run::loop});
        routes.operators("GET", "/hostile/abort", [](const Call&) -> Reply { std::abort(); });
        routes.operators("GET", "/hostile/exit", [](const Call&) -> Reply { std::exit(0); });
        routes.operators("GET", "/hostile/overflow", [](const Call&) {
            return Reply::text(200, "text/plain", std::to_string(recurse(".")));
        });
        routes.operators("GET", "/hostile/thread", [](const Call&) {
            std::thread([] { fail("out of a thread"); }).detach();
            return Reply::empty(204);
        });
        routes.operators("GET", "/hostile/noexcept", [](const Call&) {
            []() noexcept { fail("out of noexcept"); }();
            return Reply::empty(204);
        });
    }

    void addStuck(Routes& routes) {
        const auto stuck = [this](const Call&) {
            std::ifstream gate(gate_);
            std::string line;
            std::getline(gate, line);
            return Reply::text(200, "text/plain", word_);
        };
        routes.operators("GET", "/hostile/stuck", stuck);
        routes.worker("GET", "/hostile/stuck_on_the_loop", stuck, {.run = Run::loop});
    }

    void keep(const std::shared_ptr<Stream>& stream) {
        const std::lock_guard lock(mutex_);
        streams_.push_back(stream);
    }

    std::string gate_;
    const std::string word_ = "a word that is long enough not to be stored in place";
    std::mutex mutex_;
    std::vector<std::shared_ptr<Stream>> streams_;
    std::vector<Promise> promises_;
};

}  // namespace

SALLYPORT_PLUGIN_WITH_SETTINGS(Hostile, "hostile", "6.6", "Does what no plugin should", settings)
