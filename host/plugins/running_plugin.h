// A plugin that has been started.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/plugin.h>

#include "host/config/configuration.h"
#include "host/http/gate.h"
#include "host/http/router.h"
#include "host/plugins/context.h"
#include "host/plugins/library.h"
#include "host/plugins/retirement.h"

namespace sallyport::host::plugins {

/// One plugin's object with all that it needs: its code, its settings, its view of the host. Whoever starts,
/// stops or destroys it does so on one thread; the rest is for [any thread].
class RunningPlugin {
public:
    /// One that is not started yet.
    /// @throws config::BadValue, Refused for a default that cannot be, std::system_error without a thread.
    RunningPlugin(std::shared_ptr<Library> library, const config::Configuration& configuration);

    /// Another that is not started yet, of the same library and with the same settings.
    /// @throws std::system_error without a thread.
    [[nodiscard]] std::unique_ptr<RunningPlugin> twin() const;

    /// Makes and starts the plugin's object. @throws Refused; what there is of it is to be retired then.
    void start(const Facilities& facilities, Context::Taken taken);

    /// Has nothing of it called any more but what is under way. Does not block.
    void withdraw() { context_->withdraw(); }

    /// Stops it, if it has started, and destroys its object. To be called when its gate is quiet, after
    /// `withdraw`.
    void stop();

    /// What ends it: one, until that has been taken away to begin with.
    [[nodiscard]] Retirements& retirement() noexcept { return retirement_; }

    [[nodiscard]] std::string name() const { return library_->descriptor().name; }
    [[nodiscard]] const Library& library() const noexcept { return *library_; }
    /// What the configuration had for it.
    [[nodiscard]] const std::map<std::string, std::string>& values() const noexcept { return values_; }
    [[nodiscard]] const std::shared_ptr<http::Gate>& gate() const noexcept { return gate_; }
    [[nodiscard]] const std::vector<std::shared_ptr<const http::Route>>& routes() const noexcept {
        return routes_;
    }

    /// What it serves to everybody, or null.
    [[nodiscard]] const std::shared_ptr<const http::AssetTree>& assets() const noexcept { return assets_; }

    /// What it complains about. It is not asked while it is on its way out, nor again while it has not
    /// answered yet; then its last answer counts, or that there is none.
    [[nodiscard]] std::optional<std::string> trouble();

private:
    using Clock = std::chrono::steady_clock;

    RunningPlugin(std::shared_ptr<Library> library, std::shared_ptr<const Settings> settings,
                  std::map<std::string, std::string> values);
    void makeAndStart();

    // The library comes first: its code is used until all else is gone.
    std::shared_ptr<Library> library_;
    std::shared_ptr<const Settings> settings_;
    std::map<std::string, std::string> values_;
    std::shared_ptr<http::Gate> gate_;
    std::unique_ptr<Context> context_;
    Plugin* plugin_ = nullptr;
    bool started_ = false;
    std::vector<std::shared_ptr<const http::Route>> routes_;
    std::shared_ptr<const http::AssetTree> assets_;
    Retirements retirement_ = Retirements(1);

    std::mutex mutex_;  ///< guards what follows; never held while the plugin is asked
    std::optional<Clock::time_point> askedAt_;
    std::optional<std::string> lastTrouble_;
};

}  // namespace sallyport::host::plugins
