// A host without sockets, for tests of plugins: link Sallyport::testing.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/ext/job_lifecycle.h>
#include <sallyport/plugin.h>
#include <sallyport/testing/answer.h>
#include <sallyport/testing/examined.h>
#include <sallyport/testing/failing_store.h>
#include <sallyport/testing/recording_hub.h>
#include <sallyport/testing/recording_log.h>

namespace sallyport::testing {

/// The daemon's own filter, routing, jobs, database, message bus and settings, in a directory that lives as
/// long as this, and the extensions `io`, with one loop on a thread of its own, `metrics`, `assets`,
/// `job_lifecycle`, `job_tokens` and `tunnels`. Only what has to do with connections and with other plugins
/// is made up.
///
///     extern "C" const sallyport::PluginDescriptor sallyport_plugin;   // of the plugin's source
///
///     FakeHost host(sallyport_plugin, {{"demo.greeting", "Welcome"}});
///     host.start();
///     const auto answer = host.worker(host.makeJob("alice"), "GET", "/demo");
///     // answer.status(), answer.json(), …
///
/// A request runs the handler on the calling thread, whatever its RouteOptions::run; but where the daemon
/// would be on a thread that serves connections, or on the store's, or tells receivers of a message,
/// Store::query and Store::write throw a std::logic_error that says so, and so does what uses them, such as
/// Jobs::find. What is [during start] may be called until the first plugin has started, too, by the test.
/// What a handler throws becomes the answer if it is a RequestError; anything else, with the daemon a 500,
/// goes on to the test. JSON in bodies has the daemon's limits, as they are by default. Requests may be made
/// by several threads at once. [one thread at a time for what else a test calls]
class FakeHost final : public Host {
public:
    /// Settings as in the configuration file: whole keys, and values as they are written there.
    using Values = std::vector<std::pair<std::string, std::string>>;

    /// A host for the plugin that `plugin` describes.
    /// @throws std::exception for a setting that is not declared or cannot be.
    explicit FakeHost(const PluginDescriptor& plugin, const Values& values = {});
    /// A host for plugins that the test makes itself.
    /// @param plugin   the name under which `settings` are declared and set.
    /// @param settings what the plugin declares.
    /// @param values   what is set.
    FakeHost(const std::string& plugin, std::span<const Setting> settings, const Values& values = {});
    /// Stops the plugin.
    ~FakeHost() override;

    /// Makes and starts the plugin of the descriptor. The one before is stopped first, as in a reload.
    /// What was stored is still there. @throws what the plugin throws.
    void start();
    /// The same with a plugin that the test made.
    void start(std::unique_ptr<Plugin> plugin);
    /// Forgets the plugin without stopping it, as a crash does.
    void crash();
    /// The plugin that was started.
    [[nodiscard]] Plugin& plugin();

    /// Makes another plugin of the descriptor and has it look itself over, as `sallyport doctor` does. What
    /// was stored is there, if it was started before; other plugins' services are those of `offer`.
    /// @return what it found. @throws what the plugin throws, which the doctor takes for a finding.
    [[nodiscard]] std::vector<Finding> examine(const ExaminationOptions& options = {});
    /// The same with a plugin that the test made.
    [[nodiscard]] std::vector<Finding> examine(std::unique_ptr<Plugin> plugin,
                                               const ExaminationOptions& options = {});

    [[nodiscard]] Routes& routes() override;
    [[nodiscard]] Jobs& jobs() override;
    [[nodiscard]] RecordingHub& events() override;
    [[nodiscard]] Bus& bus() override;
    [[nodiscard]] FailingStore& store() override;
    [[nodiscard]] const Settings& settings() const override;
    [[nodiscard]] RecordingLog& log() override;
    [[nodiscard]] std::string workerUrl(const JobId& job) const override;
    [[nodiscard]] std::string dataDirectory() const override;
    /// Runs the task at once, on the calling thread. What it throws goes on to the caller.
    bool run(std::function<void()> task) override;
    /// Whether `run` takes no task from now on, as when too many wait.
    void fillPool(bool full);
    /// Keeps the task for `tick`.
    void every(std::chrono::milliseconds interval, std::function<void()> task) override;

    /// How a number that the plugin counts stands: of a counter or gauge what it is, of a histogram how many
    /// values were observed.
    /// @param metric as the plugin calls it.
    /// @param values of its labels.
    /// @throws std::out_of_range if there is no such number.
    [[nodiscard]] std::int64_t metric(const std::string& metric,
                                      const std::vector<std::string>& values = {}) const;

    /// What there is of a metric besides its numbers.
    struct MetricInfo {
        std::string name;                 ///< as it is shown: `sallyport_demo_stored_total`
        std::string kind;                 ///< `counter`, `gauge` or `histogram`
        std::vector<std::string> labels;  ///< their names
        std::string help;                 ///< one sentence
    };
    /// All that the plugin counts, by name.
    [[nodiscard]] std::vector<MetricInfo> metrics() const;

    /// Runs every task that the plugin registered with `every`, once.
    void tick();

    /// Offers a service as another plugin would.
    template <class S>
    void offer(std::shared_ptr<S> service) {
        offerRaw(S::serviceName, std::static_pointer_cast<void>(std::move(service)));
    }

    /// Takes part in the creation of jobs as another plugin would, from now on.
    /// @param plugin      its name.
    /// @param members     what it declares.
    /// @param participant takes care of them.
    void offerParticipant(const std::string& plugin, const std::vector<std::string>& members,
                          std::shared_ptr<JobParticipant> participant);
    /// Ends that, as when that plugin is unloaded.
    void withdrawParticipant(const std::string& plugin);

    /// A pending job of that user, as it is without the plugin taking part.
    CreatedJob makeJob(const std::string& user = "alice");
    /// A pending job that the plugin takes part in, if it does in any.
    /// @param job     what is asked for.
    /// @param members the body of the request: a JSON object, in which only what plugins declare counts.
    /// @throws what JobLifecycle::create throws
    CreatedJob createJob(const NewJob& job, const std::string& members = "{}");
    /// What the plugin shows of a job, as JobLifecycle::shown.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> shownMembers(const Job& job) const;
    /// Starts a job as its worker's first call does, and returns when everybody has been told.
    void begin(const JobId& job);
    /// Ends a job, and returns when everybody has been told.
    void finish(const JobId& job, JobState end, JobResult result = {});
    /// Deletes all jobs that are over, as the daemon does after `jobs.keep`, and tells everybody.
    void deleteEnded();

    /// Returns when all that was submitted to the store has been done.
    void settle();
    /// The number in the first column of the first row.
    [[nodiscard]] std::int64_t number(std::string_view sql);
    /// The topics that Bus::wake was called with, the oldest first.
    [[nodiscard]] std::vector<std::string> woken() const;

    /// A request of the job's worker; 401 once the job is over.
    /// @param job     from `makeJob`, or from the registry.
    /// @param method  `GET`, `POST`, …
    /// @param path    below `/worker/{job_id}`; may have a query.
    /// @param body    sent as `application/json` if it is not empty and `headers` name no `content-type`.
    /// @param headers names in lower case.
    Answer worker(const CreatedJob& job, const std::string& method, const std::string& path,
                  const std::string& body = "", Call::Pairs headers = {});
    /// A request of a caller that was let in before.
    Answer worker(const std::shared_ptr<const Caller>& caller, const std::string& method,
                  const std::string& path, const std::string& body = "", Call::Pairs headers = {});

    /// A request of an operator.
    /// @param user    whom the operator's token is for.
    /// @param role    what that token lets do.
    /// @param method  `GET`, `POST`, …
    /// @param path    below `/api`; may have a query.
    /// @param body    as for `worker`.
    /// @param headers as for `worker`.
    Answer operators(const std::string& user, Role role, const std::string& method, const std::string& path,
                     const std::string& body = "", Call::Pairs headers = {});

    /// A CONNECT of the job's worker; 407 once the job is over, and the daemon's refusals of what cannot be.
    /// A handler of Run::loop runs on the thread of the extension `io`.
    /// @param job       as for `worker`.
    /// @param authority `host:port`.
    /// @param headers   as for `worker`; who asks need not be said.
    Answer connect(const CreatedJob& job, const std::string& authority, const Call::Pairs& headers = {});
    /// The same for a request in absolute form.
    /// @param job     as for `worker`.
    /// @param method  `GET`, `POST`, …
    /// @param url     `http://host:port/path?query`.
    /// @param headers `content-length` or `transfer-encoding` say that content comes, by
    /// RecordedTunnel::send.
    Answer forward(const CreatedJob& job, const std::string& method, const std::string& url,
                   const Call::Pairs& headers = {});

    /// A request without a token of what the plugin serves to browsers; 404 for what it does not.
    /// @param path    from the root, such as `/demo/index.html`.
    /// @param headers names in lower case.
    [[nodiscard]] Answer asset(const std::string& path, const Call::Pairs& headers = {});
    /// Where the plugin's files to serve are, for a test to put there what it needs before it starts the
    /// plugin.
    [[nodiscard]] std::string assetDirectory() const;

    /// What the filter lets the job's worker in as. It stays what it is when the job is over.
    [[nodiscard]] std::shared_ptr<const Caller> callerOf(const CreatedJob& job) const;
    /// What the filter lets an operator in as.
    [[nodiscard]] std::shared_ptr<const Caller> callerOf(const std::string& user, Role role) const;
    /// A call as a handler is given it, for a function that takes one. It belongs to no route.
    [[nodiscard]] static std::shared_ptr<const Call> call(std::shared_ptr<const Caller> caller,
                                                          Call::Parts parts = {});

    /// How a route was registered, defaults filled in. Its permission is there until the plugin ends.
    /// @throws std::out_of_range if there is no such route.
    [[nodiscard]] RouteOptions options(Realm realm, const std::string& method,
                                       const std::string& pattern) const;

private:
    class Impl;

    [[nodiscard]] std::shared_ptr<Plugin> made() const;
    [[nodiscard]] std::vector<Finding> examined(Plugin& plugin, const ExaminationOptions& options);
    [[nodiscard]] std::shared_ptr<void> offeredRaw(std::string_view service) const;
    void offerRaw(std::string_view service, std::shared_ptr<void> provider);
    [[nodiscard]] void* extensionRaw(std::string_view name, std::uint32_t version) override;
    void provideRaw(std::string_view service, std::shared_ptr<void> provider) override;
    [[nodiscard]] std::shared_ptr<void> findRaw(std::string_view service) const override;

    std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::testing
