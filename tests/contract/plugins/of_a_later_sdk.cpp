// A plugin that was built with a later SDK of the same ABI, whose structures have grown.
#include <string>

#include <sallyport/json.h>
#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

struct LaterSetting : Setting {
    const char* unit;
};

struct LaterRouteOptions : RouteOptions {
    std::string word = "not known yet";
};

struct LaterDescriptor : PluginDescriptor {
    const char* author;
};

constexpr LaterSetting settings[] = {
    {{"first", SettingKind::integer, "1", "A number", 1, 9}, "apples"},
    {{"second", SettingKind::text, "two", "A word"}, "letters"},
};

/// An extension that is not there yet.
struct Later {
    static constexpr const char* extensionName = "later";
    static constexpr std::uint32_t extensionVersion = 1;
};

class OfALaterSdk final : public Plugin {
public:
    void start(Host& host) override {
        LaterRouteOptions options;
        options.run = Run::loop;
        options.size = sizeof options;
        const std::string answer = R"({"first":)" + std::to_string(host.settings().integer("first")) +
                                   R"(,"second":)" + json::quote(host.settings().text("second")) +
                                   R"(,"later":)" + (host.extension<Later>() == nullptr ? "false" : "true") +
                                   "}";
        host.routes().operators(
            "GET", "/later", [answer](const Call&) { return Reply::jsonText(200, answer); }, options);
    }
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const LaterDescriptor sallyport_plugin{
    {abiNumber, SALLYPORT_TOOLCHAIN, "later", "1", "Was built with a later SDK",
     []() -> Plugin* { return new OfALaterSdk; }, [](Plugin* plugin) { delete plugin; }, settings,
     std::size(settings), sizeof(LaterSetting), sizeof(LaterDescriptor)},
    "somebody"};
