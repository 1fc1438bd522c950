// A host without sockets, for tests of plugins.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/plugin.h>

#include "host/auth/filter.h"
#include "host/bus/message_bus.h"
#include "host/config/configuration.h"
#include "host/jobs/registry.h"
#include "host/store/database.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

/// Keeps the messages of its lines.
class RecordingLog final : public Logger {
public:
    [[nodiscard]] bool enabled(LogLevel /*level*/) const override { return true; }
    void write(LogLevel level, std::string_view message, Fields fields) override;

    /// How many lines of that level or above there are.
    [[nodiscard]] std::size_t count(LogLevel least) const;

private:
    mutable std::mutex mutex_;
    std::vector<LogLevel> levels_;
};

/// A plugin's store, which can be made to fail. What the host itself stores is not touched by that.
class FailingStore final : public Store {
public:
    explicit FailingStore(Store& store) : store_(store) {}

    /// Writes are taken and come to nothing, as when the disk is full.
    void failWrites(bool fail) { failing_ = fail; }
    /// Writes are not taken.
    void refuseWrites(bool refuse) { refusing_ = refuse; }
    /// Writes are taken and not begun until they are let go.
    void holdWrites();
    /// Returns when a write is held.
    void awaitHeld();
    void letGo();

    void migrate(std::string_view component, const std::vector<Migration>& steps) override;
    void submit(Work work, Done done) override;
    void write(Work work) override;
    [[nodiscard]] Rows query(std::string_view sql, const std::vector<SqlValue>& values = {}) override;

private:
    [[nodiscard]] Work failedIfWanted(Work work) const;

    Store& store_;
    std::atomic<bool> failing_{false};
    std::atomic<bool> refusing_{false};
    std::mutex mutex_;
    std::condition_variable held_;
    bool holding_ = false;
    std::vector<std::pair<Work, Done>> waiting_;
};

/// Keeps what is published.
class RecordingHub final : public EventHub {
public:
    void advanceTo(std::uint64_t id) override;
    void publish(LiveEvent event) override;
    [[nodiscard]] std::size_t subscribers() const override { return subscribers_; }

    void setSubscribers(std::size_t count) { subscribers_ = count; }
    /// As after a restart of the daemon.
    void forget();
    [[nodiscard]] std::uint64_t last() const;
    [[nodiscard]] std::vector<LiveEvent> published() const;

private:
    std::atomic<std::size_t> subscribers_{0};
    mutable std::mutex mutex_;
    std::uint64_t last_ = 0;
    std::vector<LiveEvent> published_;
};

/// What a request was answered with.
class Answer {
public:
    Answer(Reply reply, std::shared_ptr<const Call> call)
        : call_(std::move(call)), reply_(std::move(reply)) {}

    [[nodiscard]] int status() const { return reply_.status(); }
    /// The body of a complete answer; empty for any other.
    [[nodiscard]] std::string body() const;
    /// The body's JSON object. It refers to this answer.
    [[nodiscard]] json::Object json() const;
    /// `error.code` of the body.
    [[nodiscard]] std::string code() const;
    /// `error.message` of the body.
    [[nodiscard]] std::string message() const;
    [[nodiscard]] bool parked() const { return std::holds_alternative<Reply::Parked>(reply_.content()); }
    [[nodiscard]] bool subscribed() const {
        return std::holds_alternative<Reply::Subscribed>(reply_.content());
    }
    [[nodiscard]] const Subscription& subscription() const;

    /// What a parked request is answered with when it is woken now; nothing while it keeps waiting.
    [[nodiscard]] std::optional<Answer> retry();
    /// What a parked request is answered with when its time is over.
    [[nodiscard]] int statusOnTimeout() const;

    /// Tells the handler whether its answer reached the network.
    void delivered(bool success) { reply_.takeDelivered()(success); }

private:
    std::shared_ptr<const Call> call_;  ///< what the reply's functions refer to goes away last
    Reply reply_;
};

/// Real authentication, jobs and database in a directory of its own; routes are called directly.
class FakeHost final : public Host {
public:
    /// @param plugin name under which `settings` are declared and set.
    FakeHost(const std::string& plugin, std::span<const Setting> settings,
             const host::config::Configuration::Overrides& overrides = {});
    ~FakeHost() override;

    /// Starts a plugin; only its routes and subscriptions are then there. The one before is stopped first.
    void start(std::unique_ptr<Plugin> plugin);
    /// Forgets the plugin without stopping it, as a crash does.
    void crash();
    [[nodiscard]] Plugin& plugin() { return *plugin_; }

    [[nodiscard]] Routes& routes() override;
    [[nodiscard]] Jobs& jobs() override { return registry_; }
    [[nodiscard]] RecordingHub& events() override { return hub_; }
    [[nodiscard]] Bus& bus() override { return *pluginBus_; }
    [[nodiscard]] FailingStore& store() override { return pluginStore_; }
    [[nodiscard]] const Settings& settings() const override { return *settings_; }
    [[nodiscard]] RecordingLog& log() override { return log_; }
    [[nodiscard]] std::string dataDirectory() const override { return directory_.path().string(); }
    [[nodiscard]] std::string workerUrl(const JobId& job) const override;
    void run(std::function<void()> task) override { task(); }
    void every(std::chrono::milliseconds /*interval*/, std::function<void()> /*task*/) override {}
    [[nodiscard]] std::vector<std::shared_ptr<IoLoop>> ioLoops() override;

    /// Offers a service as another plugin would.
    template <class S>
    void offer(std::shared_ptr<S> service) {
        services_[S::serviceName] = std::move(service);
    }

    /// A job of that user, as the registry makes it.
    CreatedJob makeJob(const std::string& user = "alice");
    /// Ends a job, and returns when everybody has been told.
    void finish(const JobId& job, JobState end, JobResult result = {});
    /// Deletes all jobs that are over, and tells everybody.
    void deleteEnded();
    /// Starts a job as its worker's first call does, and returns when everybody has been told.
    void begin(const JobId& job);
    /// Returns when all that was submitted to the store has been done.
    void settle() {
        database_.write([](Transaction&) {});
    }
    /// The number in the first column of the first row.
    [[nodiscard]] std::int64_t number(std::string_view sql) { return database_.query(sql).at(0).integer(0); }
    /// Topics that were woken so far.
    [[nodiscard]] std::vector<std::string> woken() const;

    /// A request of the job's worker. `path` is below `/worker/{job_id}` and may have a query.
    Answer worker(const CreatedJob& job, const std::string& method, const std::string& path,
                  const std::string& body = "");
    /// The same for one that was let in before.
    Answer worker(const host::auth::Identity& identity, const std::string& method, const std::string& path,
                  const std::string& body = "");
    /// What the filter lets the job's worker in as.
    [[nodiscard]] host::auth::Identity identityOf(const CreatedJob& job) const;
    /// A request of an operator. `path` is below `/api` and may have a query.
    Answer operators(const std::string& user, Role role, const std::string& method, const std::string& path,
                     const std::string& body = "", Call::Pairs headers = {});

    /// How a route was registered.
    [[nodiscard]] const RouteOptions& options(Realm realm, const std::string& method,
                                              const std::string& pattern) const;

private:
    struct Route {
        Realm realm;
        std::string method;
        std::string pattern;
        Handler handler;
        RouteOptions options;
    };
    class RecordedRoutes;

    [[nodiscard]] Answer call(Realm realm, const host::auth::Identity& identity, Call::Parts parts,
                              const std::string& target);
    [[nodiscard]] static bool fits(const std::string& pattern, const std::string& path, Call::Pairs& params);
    void provideRaw(std::string_view service, std::shared_ptr<void> provider) override;
    [[nodiscard]] std::shared_ptr<void> findRaw(std::string_view service) const override;

    TemporaryDirectory directory_;
    RecordingLog log_;
    std::vector<std::shared_ptr<IoLoop>> loops_;  ///< once somebody has asked for them
    mutable std::mutex mutex_;
    std::vector<std::string> woken_;
    host::bus::MessageBus messages_{log_};
    std::unique_ptr<Bus> hostBus_ = messages_.group();
    std::unique_ptr<Bus> pluginBus_ = messages_.group();
    host::store::Database database_;
    FailingStore pluginStore_{database_};
    host::auth::WorkerTokens workers_;
    host::auth::Operators operators_{database_};
    host::auth::Filter filter_{workers_, operators_};
    host::jobs::Registry registry_;
    RecordingHub hub_;
    std::shared_ptr<const Settings> settings_;
    std::map<std::string, std::shared_ptr<void>, std::less<>> services_;
    std::map<std::pair<std::string, Role>, std::string> operatorTokens_;
    std::vector<Route> table_;
    std::unique_ptr<Routes> routes_;
    std::unique_ptr<Plugin> plugin_;
};

}  // namespace sallyport::tests
