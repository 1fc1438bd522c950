// Wants to take the greeter's place, and fails in the way that is chosen when it is built.
#include <stdexcept>

#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

#if defined(FAILS_BY_ITS_SETTINGS) || defined(FAILS_NOT)
constexpr Setting settings[] = {{"gate", SettingKind::integer, "0", "What was a path before"}};
#elif defined(FAILS_BY_ITS_DEFAULT)
constexpr Setting settings[] = {{"gate", SettingKind::integer, "none", "A default that is no number"}};
#else
constexpr Setting settings[] = {{"gate", SettingKind::text, "", "Not read"}};
#endif

class Successor final : public Plugin {
public:
    void start(Host& host) override {
        const auto never = [](const Call&) { return Reply::text(200, "text/plain", "not a greeting"); };
        host.routes().operators("GET", "/greeting", never);
#ifdef FAILS_BY_A_CLASH
        host.routes().worker("GET", "/prompt", never);
#endif
#ifndef FAILS_NOT
        throw std::runtime_error("no start");
#endif
    }
};

Plugin* make() {
#ifdef FAILS_BY_MAKING_NOTHING
    return nullptr;
#else
    return new Successor;
#endif
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const PluginDescriptor sallyport_plugin{
    abiNumber, SALLYPORT_TOOLCHAIN, "greeter", "3", "Fails", make, [](Plugin* plugin) { delete plugin; },
    settings,  std::size(settings)};
