// Tells by a file that its code has run, which a look at it must not make it do.
#include <cstdlib>
#include <fstream>

#include <sallyport/plugin.h>

#ifndef ABI
#define ABI sallyport::abiNumber
#endif

namespace {

struct Mark {
    Mark() { std::ofstream(std::getenv("SALLYPORT_TEST_MARK")) << "loaded\n"; }
} const mark;

class MarksLoading final : public sallyport::Plugin {
public:
    void start(sallyport::Host&) override {}
};

constexpr sallyport::Setting settings[] = {{"depth", sallyport::SettingKind::integer, "1", "A number", 1, 9}};

}  // namespace

extern "C" __attribute__((visibility("default")))
const sallyport::PluginDescriptor sallyport_plugin{ABI,
                                                   SALLYPORT_TOOLCHAIN,
                                                   "marks_loading",
                                                   "1",
                                                   "Marks that it was loaded",
                                                   []() -> sallyport::Plugin* { return new MarksLoading; },
                                                   [](sallyport::Plugin* plugin) { delete plugin; },
                                                   settings,
                                                   std::size(settings)};
