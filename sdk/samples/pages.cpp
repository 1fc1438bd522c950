// A plugin with files for browsers.
#include <sallyport/ext/assets.h>
#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

class Pages final : public Plugin {
public:
    void start(Host& host) override { host.require<Assets>().serve(); }
};

}  // namespace

SALLYPORT_PLUGIN(Pages, "pages", "1", "Files for browsers")
