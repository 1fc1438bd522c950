#include "host/daemon/daemon.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <mutex>

#include <build_info.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <Poco/URI.h>

#include <sallyport/errors.h>
#include <sallyport/new_file.h>

#include "host/auth/filter.h"
#include "host/bus/event_hub.h"
#include "host/bus/message_bus.h"
#include "host/config/host_settings.h"
#include "host/daemon/configuration_inspection.h"
#include "host/daemon/crash_watch.h"
#include "host/daemon/doors.h"
#include "host/daemon/host_options.h"
#include "host/daemon/host_routes.h"
#include "host/daemon/last_resort.h"
#include "host/daemon/reloader.h"
#include "host/daemon/session_routes.h"
#include "host/entry/slow_calls.h"
#include "host/jobs/job_retention.h"
#include "host/jobs/registry.h"
#include "host/jobs/terms.h"
#include "host/log/attempt.h"
#include "host/metrics/registry.h"
#include "host/plugins/directory_watch.h"
#include "host/plugins/ticker.h"
#include "host/store/intent_log.h"
#include "host/store/on_behalf_of.h"
#include "host/trust/trust.h"

namespace sallyport::host {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto silenceCheck = 1min;
constexpr auto retentionBeat = 1s;
constexpr auto logBeat = 1s;
constexpr auto timeoutBeat = 1s;
constexpr auto sessionBeat = 1s;
constexpr auto unwrittenBeat = 1s;
constexpr auto retryBeat = 1s;
constexpr std::chrono::seconds longestRetry = 30s;

/// What a plugin's tables take at the most when they are made.
constexpr std::uintmax_t roomForTables = std::uintmax_t{1} << 20U;
/// Beyond the times that a shutdown waits for requests and plugins.
constexpr auto shutdownSlack = 10s;
constexpr std::string_view unixPrefix = "unix:";

/// `unix:/run/x.sock` as a base URL that HTTP clients with Unix sockets understand.
std::string baseUrl(const std::string& address) {
    if (!address.starts_with(unixPrefix)) {
        return address;
    }
    std::string encoded;
    Poco::URI::encode(address.substr(unixPrefix.size()), "/", encoded);
    return "http+unix://" + encoded;
}

std::string listed(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
}

/// Whoever may read what the umask leaves may read it.
void writeLine(const std::string& file, const std::string& line) {
    NewFile fresh(file, {.mode = 0666});
    fresh.write(line + "\n");
    fresh.publish();
}

/// Memory holds tokens and secrets: neither a core file nor another process of the same user may see it.
void closeMemory() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::prctl(PR_SET_DUMPABLE, 0);
}

/// How many descriptors the process may have open.
std::size_t descriptorLimit() {
    rlimit limit{};
    return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

std::vector<std::string> keysOf(std::span<const Setting> settings, const std::string& prefix) {
    std::vector<std::string> keys;
    for (const auto& setting : settings) {
        keys.push_back(prefix + setting.key);
    }
    return keys;
}

}  // namespace

/// The rooms in the order in which they depend on each other.
class Daemon::Parts {
public:
    Parts(Source source, std::vector<systemd::Inherited> inherited)
        : source_(std::move(source)),
          configuration_(std::make_unique<config::Configuration>(source_.file, source_.overrides)),
          options_(readHostOptions(*configuration_)),
          log_(options_.log),
          hostLog_(log_.logger("host")),
          httpLog_(log_.logger("http")),
          storeLog_(log_.logger("store")),
          jobsLog_(log_.logger("jobs")),
          pluginLog_(log_.logger("plugins")),
          lastResort_(*hostLog_),
          lock_(options_.dataDirectory),
          database_(options_.database, *storeLog_, hostMetrics_.get()),
          intents_(options_.dataDirectory + "/sallyport.intents", *storeLog_),
          bus_(*hostLog_),
          hostBus_(bus_.group()),
          crashes_(options_.dataDirectory, log_.emergency(), tokens_, *pluginLog_),
          operators_(database_, &intents_),
          registry_(database_, tokens_, *hostBus_, *jobsLog_, options_.jobLimits, &intents_),
          terms_(registry_, tokens_, options_.server.limits.longestHold),
          participants_(registry_, database_, options_.plugins.disabled),
          jobTokens_(registry_),
          retention_(registry_, database_, *jobsLog_, options_.keepJobs),
          sessions_(options_.sessions),
          browsers_(sessions_, auth::OwnNames(options_.operatorHosts)),
          filter_(tokens_, operators_, &browsers_),
          server_(
              options_.server, filter_,
              [this](const JobId& job, std::function<void(std::exception_ptr)> done) {
                  const store::OnBehalfOf working({job, 0});
                  registry_.start(job, std::move(done));
              },
              hub_, *hostMetrics_, *httpLog_),
          ticker_(server_.pool()),
          slowCalls_(options_.handlerWarning, *pluginLog_),
          plugins_(
              {registry_, database_, hub_, bus_, log_, *pluginLog_, server_, services_, ticker_, metrics_,
               participants_, jobTokens_, options_.launchers, options_.dataDirectory, options_.plugins.assets,
               [this](const JobId& job) { return workerBase_ + "/worker/" + job.str(); }},
              ownRoutes(), *pluginLog_),
          doors_(options_, std::move(inherited), *hostLog_) {
        if (!options_.coreDumps) {
            closeMemory();
        }
        warnAboutPort();
        if (operators_.ensureLocalToken(options_.dataDirectory + "/operator.token")) {
            hostLog_->info("the admin token was written",
                           {{"file", options_.dataDirectory + "/operator.token"}});
        }
        bus_.onWake([this](std::string_view topic) { server_.wake(topic); });
        tokens_.onRevoked([this](const JobId& job) { server_.endRevoked(job); });
        operators_.onRevoked([this] { server_.endRevoked(std::nullopt); });
        sessions_.onEnded([this] { server_.endRevoked(std::nullopt); });
        services_.add(JobTermsService::serviceName, this, std::make_shared<http::Gate>("sallyportd"),
                      {std::shared_ptr<void>(), static_cast<JobTermsService*>(&terms_)});
        crashes_.begin();
        offerQuarantine();
        openDoors();
        emptyWorkspace();
        loadPlugins();
        warnAboutUnknownKeys();
        if (options_.workerSilence > 0ms) {
            ticker_.add(this, http::hostName, silenceCheck,
                        [this] { registry_.interruptSilent(options_.workerSilence); });
        }
        ticker_.add(this, http::hostName, sessionBeat, [this] { sessions_.endOverdue(); });
        ticker_.add(this, http::hostName, timeoutBeat, [this] { registry_.interruptOverdue(); });
        ticker_.add(this, http::hostName, logBeat, [this] { log_.writeHeld(); });
        ticker_.add(this, http::hostName, retentionBeat, [this] { retention_.turn(); });
        ticker_.add(this, http::hostName, unwrittenBeat, [this] { writeUnwritten(); });
        ticker_.add(this, http::hostName, retryBeat, [this] { retryPlugins(); });
    }

    ~Parts() {
        if (!shutDown()) {
            ::_exit(EX_SOFTWARE);
        }
    }
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;

    void serve() {
        server_.start();
        tell("worker.address", doors_.worker().front());
        tell("operator.address", doors_.operators().front());
        tell("operator.socket", doors_.commandSocket());
        hostLog_->info("ready", {{"worker", listed(doors_.worker())},
                                 {"operator", listed(doors_.operators())},
                                 {"version", version},
                                 {"pid", ::getpid()}});
    }

    void reload() noexcept {
        guarded("the reload failed", [this] { static_cast<void>(reloader_.reload()); });
    }

    bool responsive(std::chrono::milliseconds patience) { return server_.responsive(patience); }

    [[nodiscard]] std::string summary() const {
        return "worker door " + listed(doors_.worker()) + "; operator door " + listed(doors_.operators());
    }

    /// @return whether all has ended, and may be destroyed.
    bool shutDown() noexcept {
        if (stopped_) {
            return ended_;
        }
        stopped_ = true;
        const auto patience = std::clamp<std::chrono::milliseconds>(options_.shutdownGrace, 1s, 5s);
        lastResort_.arm(options_.shutdownGrace + patience + shutdownSlack);
        step([this] { watch_.stop(); });
        step([this] { reloader_.stop(); });
        step([this] { hostLog_->info("stopping"); });
        step([this] {
            if (!server_.drain(options_.shutdownGrace)) {
                hostLog_->warn("requests were cut off: they did not end within shutdown.grace");
            }
        });
        step([this] { ticker_.remove(this); });
        step([this, patience] { ended_ = plugins_.stop(patience); });
        if (ended_) {
            step([this] { server_.stop(); });
        }
        step([this] { operators_.writeUnwritten(); });
        step([this] { registry_.writeUnwritten(); });
        step([this] { database_.close(); });
        step([this] { removeAddresses(); });
        step([this] { hostLog_->info(ended_ ? "stopped" : "stopped, leaving behind what did not end"); });
        lastResort_.disarm();
        return ended_;
    }

private:
    /// One of the shutdown. If it fails, for want of memory say, the others are done all the same.
    template <class F>
    void step(F function) noexcept {
        guarded("a step of the shutdown failed", function);
    }

    /// Does what must not end the daemon when it fails.
    template <class F>
    void guarded(const char* failure, F function) noexcept {
        try {
            function();
        } catch (const std::exception& error) {
            log::attempt([&] { hostLog_->error(failure, {{"error", error.what()}}); });
        } catch (...) {
            log::attempt([&] { hostLog_->error(failure, {{"error", "not a std::exception"}}); });
        }
    }

    void removeAddresses() const {
        std::error_code ignored;
        for (const char* name : {"worker.address", "operator.address", "operator.socket"}) {
            fs::remove(dataFile(name), ignored);
        }
    }

    plugins::ReloadReport reloadNow() {
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
        if (!problem.empty()) {
            hostLog_->error("the configuration was not reloaded", {{"reason", problem}});
        }
        auto report = agreePlugins(pluginSources_.value_or(options_.plugins), false);
        warnAboutUnknownKeys();
        hostLog_->info("reloaded");
        return report;
    }

    [[nodiscard]] fs::path dataFile(const char* name) const {
        return fs::path(options_.dataDirectory) / name;
    }

    /// Writes the address, if there is one, into that file. A full disk is no reason not to serve.
    void tell(const char* name, const std::string& address) const {
        try {
            if (!address.empty()) {
                writeLine(dataFile(name), address);
                return;
            }
        } catch (const std::exception& error) {
            hostLog_->warn("an address could not be written for the command line",
                           {{"address", address}, {"reason", error.what()}});
        }
        // What a daemon before it has left there is wrong.
        std::error_code ignored;
        fs::remove(dataFile(name), ignored);
    }

    http::RouteTable::Routes ownRoutes() {
        auto routes = hostRoutes(view());
        auto ofSessions = sessionRoutes({operators_, sessions_, codes_, *hostLog_});
        routes.insert(routes.end(), ofSessions.begin(), ofSessions.end());
        return routes;
    }

    HostView view() {
        return {operators_,
                registry_,
                *hostLog_,
                crashes_,
                options_.handlerWarning,
                [this] { return plugins_.list(); },
                [this](Reloader::Done done) { return reloader_.request(std::move(done)); },
                [this] { return server_.connections(); },
                [this] { return hub_.subscribers(); },
                [this] { return database_.trouble(); },
                [this] { return operators_.unwritten() + registry_.unwritten(); },
                [this] { return database_.space(); },
                [this] { return listeners(); }};
    }

    /// What the database did not take when it was decided.
    void writeUnwritten() {
        intents_.reserve();
        operators_.writeUnwritten();
        registry_.writeUnwritten();
    }

    void offerQuarantine() {
        services_.add(Quarantine::serviceName, this, std::make_shared<http::Gate>("sallyportd"),
                      {std::shared_ptr<void>(), static_cast<Quarantine*>(&crashes_)});
    }

    /// But for sockets beside the data: where those are is not for every operator to know.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> listeners() const {
        const std::string beside = "unix:" + fs::absolute(options_.dataDirectory).string() + "/";
        std::vector<std::pair<std::string, std::string>> all;
        const auto add = [&](const char* door, const std::vector<std::string>& urls) {
            for (const auto& url : urls) {
                if (!url.starts_with(beside)) {
                    all.emplace_back(door, url);
                }
            }
        };
        add("worker", doors_.worker());
        add("operator", doors_.operators());
        return all;
    }

    void openDoors() {
        auto& worker = options_.worker;
        auto& operators = options_.operators;
        if (http::fitToDescriptors(worker.door, operators.door, descriptorLimit())) {
            hostLog_->warn(
                "too few descriptors for all connections that are allowed: raise LimitNOFILE= or ulimit -n",
                {{"worker", worker.door.maxConnections}, {"operator", operators.door.maxConnections}});
        }
        doors_.open(server_);
        workerBase_ =
            options_.workerPublicUrl.empty() ? baseUrl(doors_.worker().front()) : options_.workerPublicUrl;
        while (workerBase_.ends_with('/')) {
            workerBase_.pop_back();
        }
    }

    void loadPlugins() {
        const std::lock_guard lock(reloading_);
        static_cast<void>(agreePlugins(options_.plugins, true));
    }

    /// Those that could not start, with growing pauses. [pool thread]
    void retryPlugins() {
        if (std::chrono::steady_clock::now() < nextRetry_ || plugins_.postponed().empty()) {
            return;
        }
        const std::unique_lock lock(reloading_, std::try_to_lock);
        if (!lock) {
            return;
        }
        auto sources = pluginSources_.value_or(options_.plugins);
        sources.beingWritten = [this](const std::string& file) { return watch_.isBeingWritten(file); };
        static_cast<void>(plugins_.retry(sources, *configuration_));
        retryPause_ = plugins_.postponed().empty() ? retryBeat : std::min(2 * retryPause_, longestRetry);
        nextRetry_ = std::chrono::steady_clock::now() + retryPause_;
    }

    void tellPostponed() const {
        const auto files = plugins_.postponed();
        if (files.empty()) {
            return;
        }
        std::uintmax_t needed = 0;
        for (const auto& file : files) {
            std::error_code unknown;
            const auto size = fs::file_size(file, unknown);
            needed += roomForTables + (unknown ? 0 : size);
        }
        std::error_code unknown;
        const auto free = fs::space(options_.dataDirectory, unknown).available;
        const bool full = !unknown && free < needed;
        hostLog_->error(
            full ? "the disk is too full for plugins to start; they are tried again when there is room"
                 : "plugins could not start yet; they are tried again by themselves",
            {{"plugins", files.size()},
             {"directory", options_.dataDirectory},
             {"needed_bytes", needed},
             {"free_bytes", unknown ? 0 : free}});
    }

    /// Watched before they are looked at, so that nothing happens between the two.
    plugins::ReloadReport agreePlugins(plugins::PluginSources sources, bool strict) {
        plugins::Watched watched;
        if (sources.watch) {
            watched.directories = sources.directories;
            if (sources.trusted) {
                watched.files.push_back(sources.trusted->file());
            }
        }
        watch_.watch(std::move(watched));
        sources.beingWritten = [this](const std::string& file) { return watch_.isBeingWritten(file); };
        auto report = plugins_.reload(sources, *configuration_, strict);
        tellPostponed();
        return report;
    }

    /// Copies of plugins from a run that was killed.
    void emptyWorkspace() const {
        std::error_code ignored;
        fs::remove_all(options_.plugins.workspace, ignored);
    }

    void warnAboutPort() const {
        if (!options_.portWarning.empty()) {
            hostLog_->warn("ORCHESTRATOR_PORT is no port and was ignored", {{"value", options_.portWarning}});
        }
    }

    void warnAboutUnknownKeys() const {
        auto known = keysOf(config::hostSettings(), "");
        const auto ofPlugins = plugins_.settingKeys();
        known.insert(known.end(), ofPlugins.begin(), ofPlugins.end());
        std::vector<std::string> absent = options_.plugins.disabled;
        for (const auto& plugin : plugins_.list()) {
            if (!plugin.running) {
                absent.push_back(plugin.name);
            }
        }
        for (const auto& sentence : configuration_->unknownKeys(known, absent)) {
            hostLog_->warn("unknown key", {{"hint", sentence}});
        }
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
    LastResort lastResort_;
    store::DirectoryLock lock_;
    metrics::Registry metrics_;
    std::unique_ptr<Metrics> hostMetrics_ = metrics_.of({});
    store::Database database_;
    store::IntentLog intents_;
    bus::MessageBus bus_;
    std::unique_ptr<Bus> hostBus_;
    bus::LiveHub hub_{options_.eventMemory};
    auth::WorkerTokens tokens_;
    CrashWatch crashes_;
    auth::Operators operators_;
    jobs::Registry registry_;
    jobs::Terms terms_;
    plugins::JobParticipants participants_;
    plugins::RegistryTokens jobTokens_;
    jobs::JobRetention retention_;
    auth::Sessions sessions_;
    auth::SignInCodes codes_;
    auth::BrowserDoor browsers_;
    auth::Filter filter_;
    http::Server server_;
    plugins::ServiceDirectory services_;
    plugins::Ticker ticker_;
    entry::SlowCalls slowCalls_;
    plugins::PluginSet plugins_;
    Doors doors_;
    std::string workerBase_;
    std::mutex reloading_;
    std::optional<plugins::PluginSources> pluginSources_;  ///< from the last reload
    std::chrono::seconds retryPause_{retryBeat};           ///< used by one timer alone
    std::chrono::steady_clock::time_point nextRetry_;
    bool stopped_ = false;
    bool ended_ = false;
    Reloader reloader_{[this] { return reloadNow(); }};
    plugins::DirectoryWatch watch_{*pluginLog_, [this] {
                                       pluginLog_->info("plugin files have changed");
                                       reload();
                                   }};
};

Daemon::Daemon(Source source, std::vector<systemd::Inherited> inherited)
    : parts_(std::make_unique<Parts>(std::move(source), std::move(inherited))) {}

Daemon::~Daemon() = default;

void Daemon::serve() {
    parts_->serve();
}

void Daemon::reload() noexcept {
    parts_->reload();
}

bool Daemon::responsive(std::chrono::milliseconds patience) {
    return parts_->responsive(patience);
}

std::string Daemon::summary() const {
    return parts_->summary();
}

bool Daemon::shutDown() {
    return parts_->shutDown();
}

}  // namespace sallyport::host
