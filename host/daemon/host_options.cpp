#include "host/daemon/host_options.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <thread>

#include "host/config/host_settings.h"

namespace sallyport::host {

namespace {

constexpr std::size_t mostLoops = 4;

/// ORCHESTRATOR_PORT replaces the port of a TCP address; a value that is no port is ignored with a warning.
void applyOrchestratorPort(HostOptions& options) {
    const char* const value = std::getenv("ORCHESTRATOR_PORT");
    if (value == nullptr || options.worker.address.starts_with("unix:"))
        return;
    const std::string_view text(value);
    unsigned port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0 || port > 65535) {
        options.portWarning = text;
        return;
    }
    auto& address = options.worker.address;
    address = address.substr(0, address.rfind(':') + 1) + std::to_string(port);
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
    limits.maxJsonDepth = static_cast<std::size_t>(settings.integer("http.max_json_depth"));
    limits.bodyMemory = settings.size("http.body_memory");
    limits.headerTimeout = settings.duration("http.header_timeout");
    limits.bodyTimeout = settings.duration("http.body_timeout");
    limits.idleTimeout = settings.duration("http.idle_timeout");
    limits.writeTimeout = settings.duration("http.write_timeout");
    limits.subscriberBuffer = settings.size("sse.buffer");
    limits.heartbeat = settings.duration("sse.heartbeat");
    return limits;
}

JobLimits readJobLimits(const Settings& settings) {
    return {settings.integer("jobs.limit.requests_per_second"),
            static_cast<std::int64_t>(settings.size("jobs.limit.event_bytes_per_second")),
            settings.integer("jobs.limit.events"),
            static_cast<std::int64_t>(settings.size("jobs.limit.event_bytes"))};
}

ListenOptions readListen(const config::Configuration& configuration, const Settings& settings,
                         const std::string& door) {
    if (!http::isListenAddress(settings.text(door + ".listen")))
        throw configuration.badValue(door + ".listen", "host:port, [ipv6]:port or unix:/path");
    return {settings.text(door + ".listen"), settings.size(door + ".max_body"),
            static_cast<std::size_t>(settings.integer(door + ".max_connections"))};
}

}  // namespace

HostOptions readHostOptions(const config::Configuration& configuration, const trust::Trust& trust) {
    const auto held = configuration.settings("", config::hostSettings());
    const auto& settings = *held;
    HostOptions options;
    options.dataDirectory = settings.text("data.dir");
    options.worker = readListen(configuration, settings, "worker");
    options.operators = readListen(configuration, settings, "operator");
    options.workerPublicUrl = settings.text("worker.public_url");
    options.workerSilence = settings.duration("worker.silence_limit");
    options.keepJobs = settings.duration("jobs.keep");
    options.jobLimits = readJobLimits(settings);
    options.longestHold = settings.duration("jobs.limit.hold");

    options.server.limits = readLimits(settings);
    const auto loops = static_cast<std::size_t>(settings.integer("http.loops"));
    options.server.loops =
        loops != 0 ? loops : std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, mostLoops);
    options.server.busyPoll = std::chrono::microseconds(settings.integer("http.busy_poll"));
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
    options.shutdownGrace = settings.duration("shutdown.grace");
    options.plugins.grace = options.shutdownGrace;
    options.coreDumps = settings.boolean("process.core_dumps");
    applyOrchestratorPort(options);
    return options;
}

}  // namespace sallyport::host
