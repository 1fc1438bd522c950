// What the host offers to every plugin. What not every plugin needs, or came later, is an extension: see
// `ext/`.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <sallyport/bus.h>
#include <sallyport/events.h>
#include <sallyport/jobs.h>
#include <sallyport/log.h>
#include <sallyport/route.h>
#include <sallyport/settings.h>
#include <sallyport/store.h>

namespace sallyport {

/// The host, as one plugin sees it. Everything a plugin registers through it (routes, subscriptions,
/// timers, services, watched descriptors) is taken back when the plugin stops. It outlives the plugin.
class Host {
public:
    virtual ~Host() = default;

    /// Where the plugin names the requests that it answers. [during start, as all that says so: later it
    /// throws a std::logic_error]
    [[nodiscard]] virtual Routes& routes() = 0;
    /// The registry of jobs. [any thread]
    [[nodiscard]] virtual Jobs& jobs() = 0;
    /// Where live events are published. [any thread]
    [[nodiscard]] virtual EventHub& events() = 0;
    /// Messages between the host and plugins. [any thread]
    [[nodiscard]] virtual Bus& bus() = 0;
    /// The database. [any thread]
    [[nodiscard]] virtual Store& store() = 0;
    /// The plugin's part of the configuration. [any thread]
    [[nodiscard]] virtual const Settings& settings() const = 0;
    /// The log; lines name the plugin by themselves. [any thread]
    [[nodiscard]] virtual Logger& log() = 0;

    /// The base URL at which a worker reaches that job: `http://…/worker/<id>`. [any thread]
    [[nodiscard]] virtual std::string workerUrl(const JobId& job) const = 0;

    /// The daemon's data directory, which only its user can enter. A plugin's files in it begin with the
    /// plugin's name. [any thread]
    [[nodiscard]] virtual std::string dataDirectory() const = 0;

    /// Runs `task` on a pool thread soon. What it throws is logged. [any thread]
    /// @return false when too many wait there already: then `task` is destroyed without having run.
    virtual bool run(std::function<void()> task) = 0;

    /// Runs `task` on a pool thread every `interval`, never twice at once, until the plugin stops.
    /// [during start] @throws std::logic_error later.
    virtual void every(std::chrono::milliseconds interval, std::function<void()> task) = 0;

    /// What else this host can do: an interface from a header in `sallyport/ext`, which gives its name and
    /// version as `static constexpr` members `extensionName` and `extensionVersion`. Null where this host has
    /// none of that name, or only an older version: the plugin goes on without, or says in `start` what it
    /// lacks.
    ///
    /// An interface grows only at its end, and its version with it, so that the object of a newer host serves
    /// plugins that were built with an older header. It belongs to this plugin's host, and lives as long.
    /// [any thread]
    template <class E>
    [[nodiscard]] E* extension() {
        return static_cast<E*>(extensionRaw(E::extensionName, E::extensionVersion));
    }

    /// The same for what the plugin cannot do without. @throws std::runtime_error that names it.
    template <class E>
    [[nodiscard]] E& require() {
        if (E* const found = extension<E>()) {
            return *found;
        }
        throw std::runtime_error(std::string("this Sallyport lacks the extension ") + E::extensionName + " " +
                                 std::to_string(E::extensionVersion) + ", which the plugin needs");
    }

    /// Offers a service to other plugins. S is an interface from an SDK header that names itself with
    /// a `static constexpr const char* serviceName`; one provider at a time. [during start]
    /// @throws std::logic_error when another plugin provides it, and later.
    template <class S>
    void provide(std::shared_ptr<S> service) {
        provideRaw(S::serviceName, std::static_pointer_cast<void>(std::move(service)));
    }

    /// The service, or null while nobody provides it. Ask each time it is needed and let go of the pointer
    /// soon: a provider may be reloaded, and its reload waits for those that hold it. [any thread]
    template <class S>
    [[nodiscard]] std::shared_ptr<S> find() const {
        return std::static_pointer_cast<S>(findRaw(S::serviceName));
    }

private:
    [[nodiscard]] virtual void* extensionRaw(std::string_view name, std::uint32_t version) = 0;
    virtual void provideRaw(std::string_view service, std::shared_ptr<void> provider) = 0;
    [[nodiscard]] virtual std::shared_ptr<void> findRaw(std::string_view service) const = 0;
};

}  // namespace sallyport
