// A whole plugin: one route for workers, one for operators, one setting.
#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

constexpr Setting settings[] = {
    {"greeting", SettingKind::text, "Hello", "what a worker is greeted with"},
};

class Hello final : public Plugin {
public:
    void start(Host& host) override {
        greeting_ = host.settings().text("greeting");
        // GET /worker/{job_id}/hello: the filter has seen to it that the caller is this job's worker.
        host.routes().worker("GET", "/hello", [this](const Call& call) { return greet(call); });
        // GET /api/hello: any operator may read.
        host.routes().operators("GET", "/hello", [this](const Call& call) { return greet(call); });
    }

private:
    [[nodiscard]] Reply greet(const Call& call) const {
        Poco::JSON::Object answer;
        answer.set("greeting", greeting_ + ", " + call.caller().user());
        return Reply::json(200, answer);
    }

    std::string greeting_;
};

}  // namespace

SALLYPORT_PLUGIN_WITH_SETTINGS(Hello, "hello", "1.0.0", "Greets whoever calls", settings)
