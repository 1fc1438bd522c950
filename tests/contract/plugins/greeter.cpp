// A plugin as it should be. It is built twice, with another GREETING each time, so that one can take the
// other's place.
#include <fstream>
#include <string>

#include <sallyport/errors.h>
#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

constexpr Setting settings[] = {
    {"gate", SettingKind::text, "", "a FIFO that /greeting/slow reads before it answers"},
};

class Greeter final : public Plugin {
public:
    void start(Host& host) override {
        gate_ = host.settings().text("gate");
        Routes& routes = host.routes();
        routes.operators("GET", "/greeting", [](const Call&) { return greeting(); });
        routes.operators("GET", "/greeting/slow", [this](const Call&) { return slow(); });
        routes.operators("GET", "/greeting/seen", [](const Call& call) { return seen(call); });
        routes.worker("GET", "/greeting", [](const Call&) { return greeting(); });
        routes.worker("GET", "/greeting/seen", [](const Call& call) { return seen(call); });
    }

private:
    static Reply greeting() { return Reply::jsonText(200, R"({"greeting":")" GREETING "\"}"); }

    /// Answers once somebody has opened and closed the other end of the gate.
    Reply slow() {
        std::ifstream gate(gate_);
        std::string line;
        std::getline(gate, line);
        return greeting();
    }

    /// What a handler is told of a request.
    static Reply seen(const Call& call) {
        std::string text;
        for (const char* name : {"x-harmless", "authorization", "Authorization", "x-api-key", "X-Api-Key",
                                 "cookie", "proxy-authorization"}) {
            if (const auto value = call.header(name)) {
                text.append(name).append(": ").append(*value).append("\n");
            }
        }
        text += call.method() + " " + call.path() + "?" + call.rawQuery() + "\n" + call.body() + "\n";
        return Reply::text(200, "text/plain", text + call.caller().user() + " " + call.caller().job().str());
    }

    std::string gate_;
};

}  // namespace

SALLYPORT_PLUGIN_WITH_SETTINGS(Greeter, "greeter", GREETING, "Greets", settings)
