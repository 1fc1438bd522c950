// The host as one plugin sees it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/ext/io.h>
#include <sallyport/ext/metrics.h>
#include <sallyport/host.h>

#include "host/bus/message_bus.h"
#include "host/entry/rules.h"
#include "host/http/gate.h"
#include "host/http/router.h"
#include "host/http/server.h"
#include "host/log/log.h"
#include "host/metrics/registry.h"
#include "host/plugins/asset_collector.h"
#include "host/plugins/extensions.h"
#include "host/plugins/job_participants.h"
#include "host/plugins/plugin_loop.h"
#include "host/plugins/route_collector.h"
#include "host/plugins/services.h"
#include "host/plugins/ticker.h"

namespace sallyport::host::plugins {

/// What the contexts of all plugins share. It outlives them.
struct Facilities {
    Jobs& jobs;
    Store& store;
    EventHub& events;
    bus::MessageBus& bus;
    log::Sink& log;
    Logger& pluginLog;  ///< for what plugins do wrong
    http::Server& server;
    ServiceDirectory& services;
    Ticker& ticker;
    metrics::Registry& metrics;
    JobParticipants& participants;
    JobTokens& jobTokens;
    std::vector<std::string> launchers;  ///< plugins that may renew workers' tokens
    std::string dataDirectory;
    std::string assetDirectory;  ///< each plugin's files are in the folder of its name in it
    std::function<std::string(const JobId&)> workerUrl;
};

/// Collects what a plugin registers and takes it back. Closures that the plugin leaves with the host are
/// counted at the plugin's gate and keep its code loaded.
class Context final : public Host {
public:
    /// @param code  keeps the plugin's code loaded.
    /// @param taken tells which plugin has a route of the same realm, method and shape; empty for none.
    using Taken = RouteCollector::Taken;
    Context(const Facilities& facilities, std::string plugin, std::shared_ptr<void> code,
            std::shared_ptr<http::Gate> gate, std::shared_ptr<const Settings> settings, Taken taken);
    ~Context() override;

    [[nodiscard]] sallyport::Routes& routes() override;
    [[nodiscard]] Jobs& jobs() override;
    [[nodiscard]] EventHub& events() override { return facilities_.events; }
    [[nodiscard]] Bus& bus() override { return *bus_; }
    [[nodiscard]] Store& store() override;
    [[nodiscard]] const Settings& settings() const override { return *settings_; }
    [[nodiscard]] Logger& log() override { return *log_; }
    [[nodiscard]] std::string workerUrl(const JobId& job) const override {
        return facilities_.workerUrl(job);
    }
    [[nodiscard]] std::string dataDirectory() const override { return facilities_.dataDirectory; }
    bool run(std::function<void()> task) override;
    void every(std::chrono::milliseconds interval, std::function<void()> task) override;

    /// The plugin's start has returned: what is `[during start]` is refused from now on.
    void started() noexcept {
        starting_->end();
        lifecycle_.begin();
    }
    /// The routes that it has registered. [after `started`, once]
    [[nodiscard]] std::vector<std::shared_ptr<const http::Route>> takeRoutes() { return routes_->take(); }
    /// The files that it serves, or null. [after `started`]
    [[nodiscard]] const std::shared_ptr<const http::AssetTree>& assets() const noexcept {
        return assets_.tree();
    }

    /// Ends subscriptions, timers and services: none is called any more. What is running goes on, and is
    /// counted at the gate.
    void withdraw();

    /// Ends what the plugin still has on the loops, and destroys what it subscribed with. To be called
    /// after it has stopped, and before its object goes, whose descriptors they are.
    void release();

private:
    class GuardedStore;
    class GuardedJobs;

    /// The server's loops, each as this plugin sees it.
    class Loops final : public IoLoops {
    public:
        explicit Loops(std::vector<std::shared_ptr<PluginLoop>> loops) : loops_(std::move(loops)) {}

        [[nodiscard]] std::vector<std::shared_ptr<IoLoop>> loops() override {
            return {loops_.begin(), loops_.end()};
        }
        void end();

    private:
        std::vector<std::shared_ptr<PluginLoop>> loops_;
    };

    [[nodiscard]] std::unique_ptr<Bus> guardedBus();

    [[nodiscard]] Loops pluginLoops() const;

    [[nodiscard]] void* extensionRaw(std::string_view name, std::uint32_t version) override {
        return extensions_.find(name, version);
    }
    void provideRaw(std::string_view service, std::shared_ptr<void> provider) override;
    [[nodiscard]] std::shared_ptr<void> findRaw(std::string_view service) const override;

    Facilities facilities_;
    std::shared_ptr<void> code_;
    std::shared_ptr<http::Gate> gate_;
    std::shared_ptr<const Settings> settings_;
    std::shared_ptr<entry::StartPhase> starting_ = std::make_shared<entry::StartPhase>();
    std::shared_ptr<std::atomic<bool>> withdrawn_ = std::make_shared<std::atomic<bool>>(false);
    std::unique_ptr<Logger> log_;
    std::unique_ptr<Bus> bus_;
    std::unique_ptr<RouteCollector> routes_;
    std::unique_ptr<GuardedStore> store_;
    std::unique_ptr<GuardedJobs> jobs_;
    Loops loops_;
    std::unique_ptr<Metrics> metrics_;
    AssetCollector assets_;
    PluginJobLifecycle lifecycle_;
    Extensions extensions_;
};

}  // namespace sallyport::host::plugins
