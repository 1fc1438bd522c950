#include "host/daemon/host_options.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <Poco/Net/IPAddress.h>

#include "host/auth/own_names.h"
#include "host/config/host_settings.h"

namespace sallyport::host {

namespace {

constexpr std::size_t mostLoops = 4;

/// ORCHESTRATOR_PORT replaces the port of all TCP addresses, of which those that are the same then become
/// one; a value that is no port is ignored with a warning.
void applyOrchestratorPort(HostOptions& options) {
    const char* const value = std::getenv("ORCHESTRATOR_PORT");
    auto& addresses = options.worker.addresses;
    if (value == nullptr || std::ranges::all_of(addresses, &http::ListenAddress::isUnix)) {
        return;
    }
    const std::string_view text(value);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
        options.portWarning = text;
        return;
    }
    std::vector<http::ListenAddress> replaced;
    for (const auto& address : addresses) {
        const auto other = address.withPort(port);
        if (std::ranges::find(replaced, other) == replaced.end()) {
            replaced.push_back(other);
        }
    }
    addresses = std::move(replaced);
}

template <class F>
auto word(const config::Configuration& configuration, const Settings& settings, const std::string& key,
          const char* expected, F parse) {
    try {
        return parse(settings.text(key));
    } catch (const std::invalid_argument&) {
        throw configuration.badValue(key, expected);
    }
}

http::Limits readLimits(const Settings& settings) {
    http::Limits limits;
    limits.maxHeaderBytes = settings.size("http.max_header_size");
    limits.maxHeaders = static_cast<std::size_t>(settings.integer("http.max_headers"));
    limits.maxUriBytes = settings.size("http.max_uri");
    limits.json.depth = static_cast<std::size_t>(settings.integer("http.max_json_depth"));
    limits.json.values = static_cast<std::size_t>(settings.integer("http.max_json_members"));
    limits.bodyMemory = settings.size("http.body_memory");
    limits.headerTimeout = settings.duration("http.header_timeout");
    limits.bodyTimeout = settings.duration("http.body_timeout");
    limits.minBodyRate = settings.size("http.min_body_rate");
    limits.idleTimeout = settings.duration("http.idle_timeout");
    limits.anonymousTimeout = settings.duration("http.anonymous_timeout");
    limits.writeTimeout = settings.duration("http.write_timeout");
    limits.subscriberBuffer = settings.size("sse.buffer");
    limits.heartbeat = settings.duration("sse.heartbeat");
    limits.tunnelBuffer = settings.size("tunnels.buffer");
    limits.tunnelEstablishTimeout = settings.duration("tunnels.establish_timeout");
    limits.tunnelIdleTimeout = settings.duration("tunnels.idle_timeout");
    limits.tunnelLifetime = settings.duration("tunnels.max_lifetime");
    limits.jobShare = static_cast<unsigned>(settings.integer("http.job_share"));
    limits.longestHold = settings.duration("jobs.limit.hold");
    return limits;
}

JobLimits readJobLimits(const Settings& settings) {
    return {settings.integer("jobs.limit.requests_per_second"),
            static_cast<std::int64_t>(settings.size("jobs.limit.event_bytes_per_second")),
            settings.integer("jobs.limit.events"),
            static_cast<std::int64_t>(settings.size("jobs.limit.event_bytes"))};
}

bool clashes(const http::ListenAddress& address, std::span<const http::ListenAddress> others) {
    return std::ranges::any_of(others, [&](const auto& other) { return address.clashesWith(other); });
}

std::vector<http::ListenAddress> readAddresses(const config::Configuration& configuration,
                                               const std::string& key, const std::string& text) {
    const auto addresses = http::parseListenAddresses(text);
    if (!addresses) {
        throw configuration.badValue(key,
                                     "host:port, [ipv6]:port or unix:/path, or several with commas between");
    }
    for (std::size_t i = 1; i < addresses->size(); ++i) {
        if (clashes((*addresses)[i], std::span(*addresses).first(i))) {
            throw configuration.badValue(
                key, "addresses that are not the same, and of which none includes another as 0.0.0.0 does");
        }
    }
    return *addresses;
}

/// Such as 0660. The daemon's own user must be able to connect.
mode_t readMode(const config::Configuration& configuration, const Settings& settings,
                const std::string& key) {
    const std::string text = settings.text(key);
    mode_t mode = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    constexpr mode_t owner = 0600;
    if (error != std::errc{} || end != text.data() + text.size() || mode > 0777 || (mode & owner) != owner) {
        throw configuration.badValue(key, "an octal mode that lets the owner in, such as 0600, 0660 or 0666");
    }
    return mode;
}

ListenOptions readListen(const config::Configuration& configuration, const Settings& settings,
                         const std::string& door, Realm realm) {
    http::Door::Options options;
    options.realm = realm;
    options.maxBody = settings.size(door + ".max_body");
    options.maxConnections = static_cast<std::size_t>(settings.integer(door + ".max_connections"));
    return {readAddresses(configuration, door + ".listen", settings.text(door + ".listen")),
            readMode(configuration, settings, door + ".socket_mode"), options};
}

/// Those of `operator.hosts`, and the names at which the door listens. Not the addresses: those it shares
/// with all else on the machine.
std::vector<std::string> readHosts(const config::Configuration& configuration, const Settings& settings,
                                   std::span<const http::ListenAddress> addresses) {
    auto hosts = settings.list("operator.hosts");
    if (!std::ranges::all_of(hosts, auth::isHost)) {
        throw configuration.badValue("operator.hosts",
                                     "names and addresses of hosts without ports, with commas between them");
    }
    for (const auto& address : addresses) {
        const auto host = address.isUnix() ? std::nullopt : auth::hostIn(address.text());
        if (Poco::Net::IPAddress ignored; host && !Poco::Net::IPAddress::tryParse(*host, ignored)) {
            hosts.push_back(*host);
        }
    }
    return hosts;
}

auth::Sessions::Options readSessions(const Settings& settings) {
    return {settings.duration("session.idle_timeout"), settings.duration("session.lifetime"),
            static_cast<std::size_t>(settings.integer("session.max_per_token")),
            static_cast<std::size_t>(settings.integer("session.max"))};
}

}  // namespace

HostOptions readHostOptions(const config::Configuration& configuration, const trust::Trust& trust) {
    const auto held = configuration.settings("", config::hostSettings());
    const auto& settings = *held;
    HostOptions options;
    options.dataDirectory = settings.text("data.dir");
    options.worker = readListen(configuration, settings, "worker", Realm::worker);
    options.worker.door.maxPerJob =
        static_cast<std::size_t>(settings.integer("worker.max_connections_per_job"));
    options.worker.door.maxPerAddress =
        static_cast<std::size_t>(settings.integer("worker.max_connections_per_address"));
    options.operators = readListen(configuration, settings, "operator", Realm::operators);
    for (const auto& address : options.operators.addresses) {
        if (clashes(address, options.worker.addresses)) {
            throw configuration.badValue("operator.listen", "addresses that worker.listen does not have");
        }
    }
    options.operatorHosts = readHosts(configuration, settings, options.operators.addresses);
    options.sessions = readSessions(settings);
    options.workerPublicUrl = settings.text("worker.public_url");
    options.workerSilence = settings.duration("worker.silence_limit");
    options.keepJobs = settings.duration("jobs.keep");
    options.launchers = settings.list("jobs.launchers");
    options.jobLimits = readJobLimits(settings);

    options.server.limits = readLimits(settings);
    options.server.largestBody = options.worker.door.maxBody;
    const auto loops = static_cast<std::size_t>(settings.integer("http.loops"));
    options.server.loops =
        loops != 0 ? loops : std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, mostLoops);
    options.server.busyPoll = std::chrono::microseconds(settings.integer("http.busy_poll"));
    options.server.pool.jobShare = options.server.limits.jobShare;
    options.server.pool.threads = static_cast<std::size_t>(settings.integer("http.threads"));
    options.server.pool.stuckAfter = settings.duration("http.stuck_after");

    options.eventMemory = settings.size("sse.memory");

    options.database.file = options.dataDirectory + "/sallyport.db";
    options.database.queue = static_cast<std::size_t>(settings.integer("store.queue"));
    options.database.maxBytes = settings.size("store.max_size");

    options.log.level =
        word(configuration, settings, "log.level", "debug, info, warn or error", log::parseLevel);
    options.log.format = word(configuration, settings, "log.format", "text or json", log::parseFormat);
    options.log.file = settings.text("log.file");

    options.plugins = plugins::readPluginSources(settings);
    options.plugins.trusted = plugins::readTrustedSums(configuration, settings, trust);
    options.handlerWarning = settings.duration("http.handler_warning");
    options.shutdownGrace = settings.duration("shutdown.grace");
    options.plugins.grace = options.shutdownGrace;
    options.coreDumps = settings.boolean("process.core_dumps");
    applyOrchestratorPort(options);
    return options;
}

}  // namespace sallyport::host
