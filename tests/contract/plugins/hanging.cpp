// A handler that does not return until another lets it.
#include <condition_variable>
#include <mutex>

#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

class Hanging final : public Plugin {
public:
    void start(Host& host) override {
        Routes& routes = host.routes();
        routes.operators("GET", "/" NAME "/hang", [this](const Call&) { return hang(); });
        routes.operators("GET", "/" NAME "/hanging", [this](const Call&) { return hanging(); },
                         {.run = Run::loop});
        routes.operators("POST", "/" NAME "/release", [this](const Call&) { return release(); },
                         {.run = Run::loop, .body = Body::none});
    }

private:
    Reply hang() {
        std::unique_lock lock(mutex_);
        ++hanging_;
        released_.wait(lock, [this] { return letGo_; });
        return Reply::empty(204);
    }

    /// How many have begun to hang.
    Reply hanging() {
        const std::lock_guard lock(mutex_);
        return Reply::text(200, "text/plain", std::to_string(hanging_));
    }

    Reply release() {
        const std::lock_guard lock(mutex_);
        letGo_ = true;
        released_.notify_all();
        return Reply::empty(204);
    }

    std::mutex mutex_;
    std::condition_variable released_;
    int hanging_ = 0;
    bool letGo_ = false;
};

}  // namespace

SALLYPORT_PLUGIN(Hanging, NAME, "1", "Hangs on demand")
