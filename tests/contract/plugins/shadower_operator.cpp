// Wants a route that another plugin has.
#include <sallyport/plugin.h>

namespace {

class ShadowerOperator final : public sallyport::Plugin {
public:
    void start(sallyport::Host& host) override {
        host.routes().operators("POST", "/jobs/{other}/prompt", [](const sallyport::Call&) {
            return sallyport::Reply::text(200, "text/plain", "shadowed");
        });
    }
};

}  // namespace

SALLYPORT_PLUGIN(ShadowerOperator, "shadower_operator", "1", "Takes another plugin's route")
