#include "host/plugins/context.h"

#include <algorithm>

#include "host/entry/waiting.h"
#include "host/plugins/kept.h"
#include "host/plugins/route_collector.h"

namespace sallyport::host::plugins {

namespace {

/// `callback`, on the store's thread.
template <class F>
[[nodiscard]] auto onStore(F callback) {
    return [callback = std::move(callback)](auto&&... arguments) {
        const entry::WaitingWhereDebugged here(entry::Waiting::Rule::store);
        callback(std::forward<decltype(arguments)>(arguments)...);
    };
}

}  // namespace

/// The store, keeping the plugin alive for its callbacks.
class Context::GuardedStore final : public Store {
public:
    GuardedStore(Store& store, std::shared_ptr<void> code, std::shared_ptr<http::Gate> gate,
                 std::shared_ptr<const entry::StartPhase> starting)
        : store_(store), code_(std::move(code)), gate_(std::move(gate)), starting_(std::move(starting)) {}

    void migrate(std::string_view component, const std::vector<Migration>& steps) override {
        starting_->require("Store::migrate");
        store_.migrate(component, steps);
    }
    void submit(Work work, Done done) override {
        store_.submit(Kept(code_, gate_, "Store::Work", std::move(work)),
                      onStore(guarded(Kept(code_, gate_, "Store::Done", std::move(done)))));
    }
    void write(Work work) override { store_.write(Kept(code_, gate_, "Store::Work", std::move(work))); }
    [[nodiscard]] Rows query(std::string_view sql, const std::vector<SqlValue>& values) override {
        return store_.query(sql, values);
    }

private:
    Store& store_;
    std::shared_ptr<void> code_;
    std::shared_ptr<http::Gate> gate_;
    std::shared_ptr<const entry::StartPhase> starting_;
};

/// The registry, keeping the plugin alive for its callbacks.
class Context::GuardedJobs final : public Jobs {
public:
    GuardedJobs(Jobs& jobs, std::shared_ptr<void> code, std::shared_ptr<http::Gate> gate)
        : jobs_(jobs), code_(std::move(code)), gate_(std::move(gate)) {}

    [[nodiscard]] std::shared_ptr<const Job> find(const JobId& id) override { return jobs_.find(id); }
    [[nodiscard]] std::optional<std::string> owner(const JobId& id) override { return jobs_.owner(id); }
    [[nodiscard]] JobPage list(const JobQuery& query) override { return jobs_.list(query); }
    [[nodiscard]] std::vector<JobCount> count(const std::optional<std::string>& user) override {
        return jobs_.count(user);
    }
    void reportStatus(const JobId& id, std::optional<std::string> message, std::uint32_t iteration,
                      Done done) override {
        jobs_.reportStatus(id, std::move(message), iteration,
                           onStore(guarded(Kept(code_, gate_, "Jobs::Done", std::move(done)))));
    }
    void finish(const JobId& id, JobState end, JobResult result, Finished done) override {
        jobs_.finish(id, end, std::move(result),
                     onStore(guarded(Kept(code_, gate_, "Jobs::Finished", std::move(done)))));
    }
    [[nodiscard]] bool durable(const JobId& id) override { return jobs_.durable(id); }

private:
    Jobs& jobs_;
    std::shared_ptr<void> code_;
    std::shared_ptr<http::Gate> gate_;
};

namespace {

/// A callback that is called more than once: each call counts as one in progress, and none begins once the
/// plugin has been withdrawn.
template <class F>
auto counted(Callback<F> callback, std::shared_ptr<const std::atomic<bool>> withdrawn) {
    return [callback = std::move(callback), withdrawn = std::move(withdrawn)](auto&&... arguments) {
        // Counted first and looked second: whoever withdraws looks in the other order.
        const auto ticket = callback.gate()->enterFromInside();
        if (!*withdrawn) {
            callback.callGuarded(std::forward<decltype(arguments)>(arguments)...);
        }
    };
}

}  // namespace

Context::Context(const Facilities& facilities, std::string plugin, std::shared_ptr<void> code,
                 std::shared_ptr<http::Gate> gate, std::shared_ptr<const Settings> settings, Taken taken)
    : facilities_(facilities),
      code_(std::move(code)),
      gate_(std::move(gate)),
      settings_(std::move(settings)),
      log_(facilities.log.logger(plugin)),
      bus_(guardedBus()),
      routes_(std::make_unique<RouteCollector>(code_, gate_, std::move(taken), starting_)),
      store_(std::make_unique<GuardedStore>(facilities.store, code_, gate_, starting_)),
      jobs_(std::make_unique<GuardedJobs>(facilities.jobs, code_, gate_)),
      loops_(pluginLoops()),
      metrics_(facilities.metrics.of(plugin)),
      assets_(plugin, facilities.assetDirectory + "/" + plugin, starting_),
      lifecycle_(facilities.participants, code_, gate_, starting_) {
    extensions_.add<Assets>(assets_);
    extensions_.add<IoLoops>(loops_);
    extensions_.add<JobLifecycle>(lifecycle_);
    extensions_.add<Metrics>(*metrics_);
    if (std::ranges::find(facilities.launchers, plugin) != facilities.launchers.end()) {
        extensions_.add<JobTokens>(facilities.jobTokens);
    }
    extensions_.add<Tunnels>(*routes_);
}

Context::~Context() {
    withdraw();
}

std::unique_ptr<Bus> Context::guardedBus() {
    return facilities_.bus.group([code = code_, gate = gate_, withdrawn = withdrawn_,
                                  starting = starting_](bus::MessageBus::Receiver receive) {
        starting->require("Bus::subscribe");
        return [receive = counted(Callback(code, gate, "Bus::subscribe", std::move(receive)), withdrawn)](
                   const void* message) {
            const entry::WaitingWhereDebugged here(entry::Waiting::Rule::message);
            receive(message);
        };
    });
}

sallyport::Routes& Context::routes() {
    return *routes_;
}

Jobs& Context::jobs() {
    return *jobs_;
}

Store& Context::store() {
    return *store_;
}

bool Context::run(std::function<void()> task) {
    const auto& plugin = gate_->plugin();
    const bool taken = facilities_.server.pool().submit(
        {http::Lane::background, plugin, plugin}, guarded(Kept(code_, gate_, "Host::run", std::move(task))));
    if (!taken) {
        log_->warn("a task was dropped: too many are waiting");
    }
    return taken;
}

void Context::every(std::chrono::milliseconds interval, std::function<void()> task) {
    starting_->require("Host::every");
    facilities_.ticker.add(this, gate_->plugin(), interval,
                           counted(Callback(code_, gate_, "Host::every", std::move(task)), withdrawn_));
}

Context::Loops Context::pluginLoops() const {
    std::vector<std::shared_ptr<PluginLoop>> loops;
    for (auto* loop : facilities_.server.loops()) {
        loops.push_back(std::make_shared<PluginLoop>(*loop, code_, gate_));
    }
    return Loops(std::move(loops));
}

void Context::Loops::end() {
    for (const auto& loop : loops_) {
        loop->end();
    }
}

void Context::withdraw() {
    *withdrawn_ = true;
    facilities_.ticker.end(this);
    facilities_.services.remove(this);
    lifecycle_.end();
}

void Context::release() {
    loops_.end();
    bus_ = nullptr;
    bus_ = facilities_.bus.group();
}

void Context::provideRaw(std::string_view service, std::shared_ptr<void> provider) {
    starting_->require("Host::provide");
    facilities_.services.add(service, this, gate_,
                             heldObject(code_, gate_, "destructor of a service", std::move(provider)));
}

std::shared_ptr<void> Context::findRaw(std::string_view service) const {
    return facilities_.services.find(service);
}

}  // namespace sallyport::host::plugins
