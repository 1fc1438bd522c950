#include "host/plugins/plugin_loop.h"

#include <latch>
#include <utility>

#include "host/plugins/kept.h"

namespace sallyport::host::plugins {

void PluginLoop::post(std::function<void()> task) {
    loop_.post(guarded(Kept(code_, gate_, "IoLoop::post", std::move(task))));
}

void PluginLoop::watch(int descriptor, std::function<void()> readable) {
    used_ = true;
    unwatch(descriptor);
    const Callback callback(code_, gate_, "IoLoop::watch", std::move(readable));
    watches_.emplace(descriptor, loop_.watch(descriptor, [callback] { callback.callGuarded(); }));
}

void PluginLoop::unwatch(int descriptor) {
    const auto found = watches_.find(descriptor);
    if (found == watches_.end()) {
        return;
    }
    loop_.unwatch(found->second);
    watches_.erase(found);
}

void PluginLoop::endWatches() {
    if (!used_) {
        return;
    }
    std::latch done(1);
    loop_.post([this, &done] {
        while (!watches_.empty()) {
            unwatch(watches_.begin()->first);
        }
        done.count_down();
    });
    done.wait();
}

}  // namespace sallyport::host::plugins
