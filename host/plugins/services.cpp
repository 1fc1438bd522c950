#include "host/plugins/services.h"

#include <mutex>
#include <stdexcept>

namespace sallyport::host::plugins {

void ServiceDirectory::add(std::string_view service, const void* owner, std::shared_ptr<http::Gate> gate,
                           std::shared_ptr<void> provider) {
    // Made before the lock is taken, and destroyed after it if there is one already.
    Entry fresh{owner, std::move(gate), std::move(provider)};
    const std::unique_lock lock(mutex_);
    if (!entries_.try_emplace(std::string(service), std::move(fresh)).second) {
        throw std::logic_error("the service " + std::string(service) + " is provided already");
    }
}

void ServiceDirectory::remove(const void* owner) {
    // Destroyed outside the lock: a provider's destructor is the plugin's code.
    decltype(entries_) removed;
    const std::unique_lock lock(mutex_);
    for (auto next = entries_.begin(); next != entries_.end();) {
        const auto entry = next++;
        if (entry->second.owner == owner) {
            removed.insert(entries_.extract(entry));
        }
    }
}

std::shared_ptr<void> ServiceDirectory::find(std::string_view service) const {
    const std::shared_lock lock(mutex_);
    const auto entry = entries_.find(service);
    if (entry == entries_.end()) {
        return nullptr;
    }
    // The provider goes before the ticket: it may be the last to hold what the plugin made.
    struct Use {
        http::Gate::Ticket ticket;
        std::shared_ptr<void> provider;
    };
    const auto& [owner, gate, provider] = entry->second;
    const auto use = std::make_shared<Use>(Use{gate->enterFromInside(), provider});
    return {use, provider.get()};
}

}  // namespace sallyport::host::plugins
