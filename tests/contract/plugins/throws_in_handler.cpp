// Its handlers fail in every way there is.
#include <stdexcept>
#include <string>

#include <sallyport/errors.h>
#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

class ThrowsInHandler final : public Plugin {
public:
    void start(Host& host) override {
        Routes& routes = host.routes();
        Store& store = host.store();
        Bus& bus = host.bus();
        const auto fails = [](const Call&) -> Reply {
            throw std::runtime_error("SELECT secret FROM /tmp/path");
        };
        routes.operators("GET", "/throws/standard", fails);
        routes.operators("GET", "/throws/on_the_loop", fails, {.run = Run::loop});
        routes.operators("GET", "/throws/other", [](const Call&) -> Reply { throw 42; });
        routes.operators("GET", "/throws/text", [](const Call&) -> Reply { throw "a text"; });
        routes.operators("GET", "/throws/refusal", [](const Call&) -> Reply {
            throw RequestError(409, "in_the_way", "Something stands in the way.")
                .retryAfter(std::chrono::seconds(7));
        });
        routes.operators("GET", "/throws/promise",
                         [](const Call&) { return Reply::deferred([](const Promise&) {}); });
        routes.operators("GET", "/throws/deferred", [](const Call&) {
            return Reply::deferred([](const Promise&) { throw std::runtime_error("deferred"); });
        });
        routes.operators("GET", "/throws/parked", [](const Call&) {
            return Reply::waitFor(
                "throws", std::chrono::seconds(60),
                []() -> std::optional<Reply> { throw std::runtime_error("parked"); }, Reply::empty(204));
        });
        routes.operators("GET", "/throws/stored", [&store](const Call&) {
            return Reply::whenStored(
                store, [](Transaction&) { throw std::runtime_error("stored"); },
                [] { return Reply::empty(200); });
        });
        routes.operators("GET", "/throws/after_storing", [&store](const Call&) {
            return Reply::whenStored(
                store, [](Transaction&) {}, []() -> Reply { throw 42; });
        });
        routes.operators("GET", "/throws/sql", [&store](const Call&) {
            static_cast<void>(store.query("SELECT nothing FROM nowhere"));
            return Reply::empty(200);
        });
        routes.operators("GET", "/throws/stream", [](const Call&) {
            return Reply::stream(200, "text/plain", [](const std::shared_ptr<Stream>& stream) {
                stream->write("some");
                throw std::runtime_error("stream");
            });
        });
        bus.subscribe<JobStarted>([](const JobStarted&) { throw std::runtime_error("subscriber"); });
        host.every(std::chrono::milliseconds(50), [] { throw std::runtime_error("timer"); });
        host.run([] { throw 42; });
    }

    void stop() override { throw std::runtime_error("while stopping"); }

    [[nodiscard]] std::optional<std::string> trouble() const override { throw std::runtime_error("trouble"); }
};

}  // namespace

SALLYPORT_PLUGIN(ThrowsInHandler, "throws_in_handler", "1", "Fails in every way")
