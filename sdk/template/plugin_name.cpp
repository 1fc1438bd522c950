// The plugin plugin_name: greets whoever calls.
#include <string>

#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

/// What it reads from sallyport.properties: `plugin_name.greeting`.
constexpr Setting settings[] = {
    {"greeting", SettingKind::text, "Hello", "what a caller is greeted with"},
};

class PluginNamePlugin final : public Plugin {
public:
    void start(Host& host) override {
        greeting_ = host.settings().text("greeting");
        // GET /worker/{job_id}/plugin_name: the host has seen to it that the caller is this job's worker.
        host.routes().worker("GET", "/plugin_name", [this](const Call& call) { return greet(call); });
        // GET /api/plugin_name: any operator may read.
        host.routes().operators("GET", "/plugin_name", [this](const Call& call) { return greet(call); });
    }

private:
    [[nodiscard]] Reply greet(const Call& call) const {
        return Reply::json(200, [&](json::Writer& answer) {
            answer.member("greeting", greeting_ + ", " + call.caller().user());
        });
    }

    std::string greeting_;
};

}  // namespace

SALLYPORT_PLUGIN_WITH_SETTINGS(PluginNamePlugin, "plugin_name", "0.1.0", "Greets whoever calls", settings)
