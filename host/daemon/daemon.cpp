#include "host/daemon/daemon.h"

#include <filesystem>
#include <fstream>
#include <mutex>

#include <build_info.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <Poco/URI.h>

#include <sallyport/errors.h>

#include "host/auth/filter.h"
#include "host/bus/event_hub.h"
#include "host/bus/message_bus.h"
#include "host/config/host_settings.h"
#include "host/daemon/host_options.h"
#include "host/daemon/host_routes.h"
#include "host/daemon/inspection.h"
#include "host/jobs/registry.h"
#include "host/jobs/retention.h"
#include "host/jobs/terms.h"
#include "host/plugins/ticker.h"
#include "host/plugins/watch.h"
#include "host/trust/trust.h"

namespace sallyport::host {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto silenceCheck = 1min;
constexpr auto retentionBeat = 1s;
constexpr auto logBeat = 1s;
constexpr auto timeoutBeat = 1s;
constexpr std::string_view unixPrefix = "unix:";

/// `unix:/run/x.sock` as a base URL that HTTP clients with Unix sockets understand.
std::string baseUrl(const std::string& address) {
    if (!address.starts_with(unixPrefix))
        return address;
    std::string encoded;
    Poco::URI::encode(address.substr(unixPrefix.size()), "/", encoded);
    return "http+unix://" + encoded;
}

/// Replaces the file at once, so that a reader sees the old line or the new one.
void writeLine(const fs::path& file, const std::string& line) {
    const fs::path fresh = file.string() + ".new";
    {
        std::ofstream output(fresh);
        output << line << '\n';
        if (!output.flush())
            throw std::runtime_error("cannot write " + fresh.string());
    }
    fs::rename(fresh, file);
}

/// Memory holds tokens and secrets: neither a core file nor another process of the same user may see it.
void closeMemory() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::prctl(PR_SET_DUMPABLE, 0);
}

std::vector<std::string> keysOf(std::span<const Setting> settings, const std::string& prefix) {
    std::vector<std::string> keys;
    for (const auto& setting : settings)
        keys.push_back(prefix + setting.key);
    return keys;
}

/// Whose files the daemon believes, whoever asks.
trust::Trust trustOfDaemon(const Daemon::Source& source) {
    const config::Configuration configuration(source.file, source.overrides, std::nullopt);
    return trust::Trust(
        trust::daemonUser(configuration.settings("", config::hostSettings())->text("data.dir")));
}

}  // namespace

/// The rooms in the order in which they depend on each other.
class Daemon::Parts {
public:
    explicit Parts(Source source)
        : source_(std::move(source)),
          configuration_(std::make_unique<config::Configuration>(source_.file, source_.overrides)),
          options_(readHostOptions(*configuration_)),
          log_(options_.log),
          hostLog_(log_.logger("host")),
          httpLog_(log_.logger("http")),
          storeLog_(log_.logger("store")),
          jobsLog_(log_.logger("jobs")),
          pluginLog_(log_.logger("plugins")),
          lock_(options_.dataDirectory),
          database_(options_.database, *storeLog_),
          bus_(*hostLog_),
          hostBus_(bus_.group()),
          operators_(database_),
          registry_(database_, tokens_, *hostBus_, *jobsLog_, options_.jobLimits),
          terms_(registry_, tokens_, options_.longestHold),
          retention_(registry_, database_, *jobsLog_, options_.keepJobs),
          filter_(tokens_, operators_),
          server_(
              options_.server, filter_,
              [this](const JobId& job, std::function<void(std::exception_ptr)> done) {
                  registry_.start(job, std::move(done));
              },
              hub_, *httpLog_),
          ticker_(server_.pool()),
          plugins_(
              {registry_, database_, hub_, bus_, log_, server_, services_, ticker_, options_.dataDirectory,
               [this](const JobId& job) { return workerBase_ + "/worker/" + job.str(); }},
              hostRoutes(view()), *pluginLog_) {
        if (!options_.coreDumps)
            closeMemory();
        warnAboutPort();
        if (operators_.ensureLocalToken(options_.dataDirectory + "/operator.token"))
            hostLog_->info("the admin token was written",
                           {{"file", options_.dataDirectory + "/operator.token"}});
        bus_.onWake([this](std::string_view topic) { server_.wake(topic); });
        tokens_.onRevoked([this](const JobId&) { server_.endRevoked(); });
        operators_.onRevoked([this] { server_.endRevoked(); });
        services_.add(JobTermsService::serviceName, this, std::make_shared<http::Gate>("sallyportd"),
                      {std::shared_ptr<void>(), static_cast<JobTermsService*>(&terms_)});
        openDoors();
        emptyWorkspace();
        loadPlugins();
        warnAboutUnknownKeys();
        if (options_.workerSilence > 0ms)
            ticker_.add(this, http::hostName, silenceCheck,
                        [this] { registry_.interruptSilent(options_.workerSilence); });
        ticker_.add(this, http::hostName, timeoutBeat, [this] { registry_.interruptOverdue(); });
        ticker_.add(this, http::hostName, logBeat, [this] { log_.writeHeld(); });
        ticker_.add(this, http::hostName, retentionBeat, [this] { retention_.turn(); });
    }

    ~Parts() { shutDown(); }
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;

    void serve() {
        server_.start();
        writeLine(addressFile("worker"), workerUrl_);
        writeLine(addressFile("operator"), operatorUrl_);
        hostLog_->info(
            "ready",
            {{"worker", workerUrl_}, {"operator", operatorUrl_}, {"version", version}, {"pid", ::getpid()}});
    }

    plugins::ReloadReport reload() {
        const std::lock_guard lock(reloading_);
        std::string problem;
        try {
            auto configuration = std::make_unique<config::Configuration>(source_.file, source_.overrides);
            auto options = readHostOptions(*configuration);
            options_.log = options.log;
            retention_.keep(options.keepJobs);
            configuration_ = std::move(configuration);
            pluginSources_ = std::move(options.plugins);
        } catch (const config::BadValue& error) {
            problem = error.what();
        }
        // In any case: the file may have been rotated away.
        log_.reopen(options_.log);
        if (!problem.empty())
            hostLog_->error("the configuration was not reloaded", {{"reason", problem}});
        auto report = agreePlugins(pluginSources_.value_or(options_.plugins), false);
        warnAboutUnknownKeys();
        hostLog_->info("reloaded");
        return report;
    }

    bool responsive(std::chrono::milliseconds patience) { return server_.responsive(patience); }

    [[nodiscard]] std::string summary() const {
        return "worker door " + workerUrl_ + ", operator door " + operatorUrl_;
    }

    void shutDown() {
        if (stopped_)
            return;
        stopped_ = true;
        watch_.stop();
        hostLog_->info("stopping");
        if (!server_.drain(options_.shutdownGrace))
            hostLog_->warn("requests were cut off: they did not end within shutdown.grace");
        ticker_.remove(this);
        plugins_.stop();
        server_.stop();
        database_.close();
        std::error_code ignored;
        fs::remove(addressFile("worker"), ignored);
        fs::remove(addressFile("operator"), ignored);
        hostLog_->info("stopped");
    }

private:
    [[nodiscard]] fs::path addressFile(const std::string& door) const {
        return fs::path(options_.dataDirectory) / (door + ".address");
    }

    HostView view() {
        return {operators_,
                registry_,
                [this] { return plugins_.list(); },
                [this] { return reload(); },
                [this] { return server_.connections(); },
                [this] { return hub_.subscribers(); },
                [this] { return database_.healthy(); },
                [this] { return database_.space(); },
                [this] {
                    return std::vector<std::pair<std::string, std::string>>{{"worker", workerUrl_},
                                                                            {"operator", operatorUrl_}};
                }};
    }

    void openDoors() {
        const auto& worker = options_.worker;
        const auto& operators = options_.operators;
        workerUrl_ = server_.open(Realm::worker, worker.address, worker.maxBody, worker.maxConnections);
        operatorUrl_ =
            server_.open(Realm::operators, operators.address, operators.maxBody, operators.maxConnections);
        workerBase_ = options_.workerPublicUrl.empty() ? baseUrl(workerUrl_) : options_.workerPublicUrl;
        while (workerBase_.ends_with('/'))
            workerBase_.pop_back();
    }

    void loadPlugins() {
        const std::lock_guard lock(reloading_);
        static_cast<void>(agreePlugins(options_.plugins, true));
    }

    /// Watched before they are looked at, so that nothing happens between the two.
    plugins::ReloadReport agreePlugins(plugins::PluginSources sources, bool strict) {
        plugins::Watched watched;
        if (sources.watch) {
            watched.directories = sources.directories;
            if (sources.trusted)
                watched.files.push_back(sources.trusted->file());
        }
        watch_.watch(std::move(watched));
        sources.beingWritten = [this](const std::string& file) { return watch_.isBeingWritten(file); };
        return plugins_.reload(sources, *configuration_, strict);
    }

    /// Copies of plugins from a run that was killed.
    void emptyWorkspace() const {
        std::error_code ignored;
        fs::remove_all(options_.plugins.workspace, ignored);
    }

    void warnAboutPort() const {
        if (!options_.portWarning.empty())
            hostLog_->warn("ORCHESTRATOR_PORT is no port and was ignored", {{"value", options_.portWarning}});
    }

    void warnAboutUnknownKeys() const {
        auto known = keysOf(config::hostSettings(), "");
        const auto ofPlugins = plugins_.settingKeys();
        known.insert(known.end(), ofPlugins.begin(), ofPlugins.end());
        std::vector<std::string> absent = options_.plugins.disabled;
        for (const auto& plugin : plugins_.list()) {
            if (!plugin.running)
                absent.push_back(plugin.name);
        }
        for (const auto& sentence : configuration_->unknownKeys(known, absent))
            hostLog_->warn("unknown key", {{"hint", sentence}});
    }

    Source source_;
    std::unique_ptr<config::Configuration> configuration_;
    HostOptions options_;
    log::Sink log_;
    std::unique_ptr<Logger> hostLog_;
    std::unique_ptr<Logger> httpLog_;
    std::unique_ptr<Logger> storeLog_;
    std::unique_ptr<Logger> jobsLog_;
    std::unique_ptr<Logger> pluginLog_;
    store::DirectoryLock lock_;
    store::Database database_;
    bus::MessageBus bus_;
    std::unique_ptr<Bus> hostBus_;
    bus::LiveHub hub_{options_.eventMemory};
    auth::WorkerTokens tokens_;
    auth::Operators operators_;
    jobs::Registry registry_;
    jobs::Terms terms_;
    jobs::JobRetention retention_;
    auth::Filter filter_;
    http::Server server_;
    plugins::ServiceDirectory services_;
    plugins::Ticker ticker_;
    plugins::PluginSet plugins_;
    std::string workerUrl_;
    std::string operatorUrl_;
    std::string workerBase_;
    std::mutex reloading_;
    std::optional<plugins::PluginSources> pluginSources_;  ///< from the last reload
    bool stopped_ = false;
    plugins::Watch watch_{*pluginLog_, [this] {
                              pluginLog_->info("plugin files have changed");
                              static_cast<void>(reload());
                          }};
};

Daemon::Daemon(Source source) : parts_(std::make_unique<Parts>(std::move(source))) {}

Daemon::~Daemon() = default;

void Daemon::serve() {
    parts_->serve();
}

plugins::ReloadReport Daemon::reload() {
    return parts_->reload();
}

bool Daemon::responsive(std::chrono::milliseconds patience) {
    return parts_->responsive(patience);
}

std::string Daemon::summary() const {
    return parts_->summary();
}

void Daemon::shutDown() {
    parts_->shutDown();
}

std::vector<std::string> Daemon::check(const Source& source) {
    const auto trust = trustOfDaemon(source);
    const config::Configuration configuration(source.file, source.overrides, trust);
    const Inspection inspection = inspect(configuration, readHostOptions(configuration, trust), trust);
    if (!inspection.badValues.empty())
        throw config::BadValue(inspection.badValues.front());
    std::vector<std::string> sentences;
    for (const auto& inspected : inspection.plugins) {
        for (const auto& problem : inspected.problems)
            sentences.push_back(inspected.file + ": " + problem);
    }
    sentences.insert(sentences.end(), inspection.unknownKeys.begin(), inspection.unknownKeys.end());
    return sentences;
}

}  // namespace sallyport::host
