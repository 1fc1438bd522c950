#include "host/bus/event_hub.h"

namespace sallyport::host::bus {

void LiveHub::advanceTo(std::uint64_t id) {
    auto current = last_.load();
    while (current < id && !last_.compare_exchange_weak(current, id)) {
    }
}

void LiveHub::publish(LiveEvent event) {
    advanceTo(event.id);
    if (subscribers_ == 0)
        return;
    const auto frame = makeFrame(event);
    for (const auto& outlet : outlets_)
        outlet(frame);
}

}  // namespace sallyport::host::bus
