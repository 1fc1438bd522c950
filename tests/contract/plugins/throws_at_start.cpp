// Fails to start, after it has registered a route, with OBJECT.
#include <stdexcept>

#include <sallyport/plugin.h>

namespace {

class ThrowsAtStart final : public sallyport::Plugin {
public:
    void start(sallyport::Host& host) override {
        host.routes().operators("GET", "/throws_at_start", [](const sallyport::Call&) {
            return sallyport::Reply::text(200, "text/plain", "never started");
        });
        throw OBJECT;
    }
};

}  // namespace

SALLYPORT_PLUGIN(ThrowsAtStart, NAME, "1", "Fails to start")
