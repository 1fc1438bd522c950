// Has a table, which its second version changes. With FAILS, that is all that it does.
#include <stdexcept>
#include <vector>

#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

class Keeper final : public Plugin {
public:
    void start(Host& host) override {
        std::vector<Migration> steps{{1, {"CREATE TABLE kept (text TEXT NOT NULL)"}}};
        if (VERSION > 1) {
            steps.push_back({2, {"ALTER TABLE kept ADD COLUMN number BIGINT"}});
        }
        host.store().migrate("keeper", steps);
#ifdef FAILS
        throw std::runtime_error("no start");
#endif
        host.routes().operators("GET", "/kept", [](const Call&) { return Reply::empty(204); });
    }
};

}  // namespace

SALLYPORT_PLUGIN(Keeper, "keeper", SALLYPORT_STRING(VERSION), "Keeps")
