// Wants a route that another plugin has.
#include <sallyport/plugin.h>

namespace {

class ShadowerWorker final : public sallyport::Plugin {
public:
    void start(sallyport::Host& host) override {
        host.routes().worker("GET", "/prompt", [](const sallyport::Call&) {
            return sallyport::Reply::text(200, "text/plain", "shadowed");
        });
    }
};

}  // namespace

SALLYPORT_PLUGIN(ShadowerWorker, "shadower_worker", "1", "Takes another plugin's route")
