#include "host/config/host_settings.h"

namespace sallyport::host::config {

namespace {

constexpr std::int64_t second = 1000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;

constexpr std::int64_t kib = 1024;
constexpr std::int64_t mib = 1024 * kib;
constexpr std::int64_t gib = 1024 * mib;

// etc/sallyport.properties shows the same keys, defaults and words.
constexpr Setting settings[] = {
    {"worker.listen", SettingKind::text, "0.0.0.0:50051",
     "Where workers connect: host:port, [ipv6]:port or unix:/path; several with commas between them"},
    {"worker.max_body", SettingKind::size, "32MiB",
     "Largest body of a worker's request; a larger one is refused with 413", kib, gib},
    {"worker.max_connections", SettingKind::integer, "4096", "Worker connections open at once", 1, 1'000'000},
    {"worker.max_connections_per_job", SettingKind::integer, "256",
     "Of these, connections of one job; a request on one more is refused with 429; 0: no limit", 0,
     1'000'000},
    {"worker.max_connections_per_address", SettingKind::integer, "1024",
     "Of these, connections from one address that have not shown a token; the oldest gives way; 0: no limit",
     0, 1'000'000},
    {"worker.public_url", SettingKind::text, "",
     "Base URL that workers are told, such as http://172.17.0.1:50051; empty: the first of worker.listen"},
    {"worker.socket_mode", SettingKind::text, "0660",
     "Who may connect to its Unix sockets, as a mode in octal; all need a token as well"},
    {"worker.silence_limit", SettingKind::duration, "24h",
     "A running job whose worker has not called for so long is interrupted; 0: never", 0, 3650 * day},

    {"operator.listen", SettingKind::text, "127.0.0.1:50052",
     "Where operators connect: host:port, [ipv6]:port or unix:/path; several with commas between them"},
    {"operator.max_body", SettingKind::size, "8MiB",
     "Largest body of an operator's request; a larger one is refused with 413", kib, gib},
    {"operator.max_connections", SettingKind::integer, "4096", "Operator connections open at once", 1,
     1'000'000},
    {"operator.socket_mode", SettingKind::text, "0660",
     "Who may connect to its Unix sockets, as a mode in octal; all need a token as well"},

    {"operator.hosts", SettingKind::list, "",
     "Host names and addresses by which browsers reach it, besides sallyport.localhost, comma-separated"},

    {"session.idle_timeout", SettingKind::duration, "2h",
     "A browser's session ends so long after its last request", 100, 365 * day},
    {"session.lifetime", SettingKind::duration, "12h", "And so long after its sign-in in any case", 100,
     365 * day},
    {"session.max_per_token", SettingKind::integer, "16",
     "Sessions of one operator token at once; one more ends the oldest", 1, 1000},
    {"session.max", SettingKind::integer, "256", "Sessions of all tokens together; one more ends the oldest",
     1, 10'000},

    {"jobs.keep", SettingKind::duration, "0",
     "A job that ended so long ago is deleted with all that belongs to it, but for sums of its usage; 0: "
     "never",
     0, 36'500 * day},
    {"jobs.launchers", SettingKind::list, "",
     "Names of plugins that may give a job's worker a new token, comma-separated; read at the start only"},
    {"jobs.limit.requests_per_second", SettingKind::integer, "2000",
     "Requests that a job's worker may make in a second, and half a minute's worth at once; 0: any number", 0,
     1'000'000},
    {"jobs.limit.event_bytes_per_second", SettingKind::size, "4MiB",
     "Events that a job may report in a second, and half a minute's worth at once; 0: any amount", 0,
     1024 * gib},
    {"jobs.limit.events", SettingKind::integer, "1000000", "Events of one job that are stored; 0: any number",
     0},
    {"jobs.limit.event_bytes", SettingKind::size, "1GiB", "Their size together; 0: any", 0},
    {"jobs.limit.hold", SettingKind::duration, "10s",
     "Longest that a request over one of these rates is held before it is refused with 429", 0, minute},

    {"data.dir", SettingKind::text, "/var/lib/sallyport",
     "Folder of the database and of the operator token that the command line finds by itself"},
    {"plugins.dir", SettingKind::text, "",
     "Folders with plugins, colon-separated; empty: the one that was installed"},
    {"plugins.assets", SettingKind::text, "",
     "Folder with the files that plugins serve to browsers, in a folder each; empty: the one that was "
     "installed"},
    {"plugins.disabled", SettingKind::list, "", "Names of plugins that are not loaded, comma-separated"},
    {"plugins.watch", SettingKind::boolean, "false",
     "Whether plugin files that come, go or change are noticed without a reload being asked for"},
    {"plugins.trusted", SettingKind::text, "",
     "File of SHA-256 sums (as sha256sum writes it) of the only plugins that are loaded; empty: any"},

    {"log.level", SettingKind::text, "info", "Least level that is written: debug, info, warn or error"},
    {"log.format", SettingKind::text, "text", "How lines are written: text or json"},
    {"log.file", SettingKind::text, "",
     "File that is appended to, opened anew on SIGHUP; empty: standard error"},

    {"http.loops", SettingKind::integer, "0",
     "Threads that serve connections; 0: one for each processor, at most 4", 0, 64},
    {"http.busy_poll", SettingKind::integer, "100",
     "Microseconds that a thread with one or two requests looks for more before it sleeps; 0: none", 0, 1000},
    {"http.threads", SettingKind::integer, "4",
     "Threads for handlers that wait for the disk; one plugin, and one job, gets at most half of them", 1,
     256},
    {"http.job_share", SettingKind::integer, "20",
     "Percent of a serving thread's time that one job may have while others are there; 100: all", 1, 100},
    {"http.stuck_after", SettingKind::duration, "60s",
     "Time without a handler that begins or ends, while some wait, after which the watchdog is not fed", 100,
     hour},
    {"http.handler_warning", SettingKind::duration, "5s",
     "A plugin's code that runs longer than this is named in the log, by status and by doctor", 10, hour},
    {"http.header_timeout", SettingKind::duration, "10s", "Time for a request's whole head to arrive", 100,
     hour},
    {"http.body_timeout", SettingKind::duration, "60s", "Time for a request's whole body to arrive", 100,
     hour},
    {"http.min_body_rate", SettingKind::size, "16KiB",
     "Part of a request's body that must arrive in a second, or it is refused with 408; 0: any", 0, gib},
    {"http.idle_timeout", SettingKind::duration, "75s",
     "Time that a connection may stay open between two requests", 100, day},
    {"http.anonymous_timeout", SettingKind::duration, "10s",
     "Time that a connection may stay open without a request that was authenticated", 100, day},
    {"http.write_timeout", SettingKind::duration, "30s", "Time for a client to take any part of an answer",
     100, hour},
    {"http.max_header_size", SettingKind::size, "16KiB", "All headers of a request together", kib, mib},
    {"http.max_headers", SettingKind::integer, "100", "Headers of a request", 8, 10'000},
    {"http.max_uri", SettingKind::size, "8KiB", "A request's path and query", 256, mib},
    {"http.max_json_depth", SettingKind::integer, "64", "Objects and arrays within each other in a JSON body",
     4, 1000},
    {"http.max_json_members", SettingKind::integer, "1000000",
     "Elements of arrays and members of objects in a JSON body; more are refused with 422", 1000,
     100'000'000},
    {"http.body_memory", SettingKind::size, "256MiB",
     "All request bodies that are held in memory at once, and what they are taken apart into; more are "
     "refused with 503. "
     "A door may have three quarters of it and a job one quarter, or one body of the largest size",
     mib},

    {"sse.buffer", SettingKind::size, "1MiB", "Unsent events of one subscriber, who is cut off beyond it",
     16 * kib, gib},
    {"sse.memory", SettingKind::size, "64MiB",
     "Unsent events of all subscribers together; beyond it the slowest are cut off", mib, 64 * gib},
    {"sse.heartbeat", SettingKind::duration, "15s",
     "Time between the comments that keep a quiet subscriber connected", 100, 15 * second},

    {"tunnels.establish_timeout", SettingKind::duration, "30s",
     "Time for a plugin to answer a request to the worker door's proxy; after it the answer is 504", 100,
     hour},
    {"tunnels.idle_timeout", SettingKind::duration, "10m",
     "Time that a tunnel (CONNECT, WebSocket) may stay open without a byte in either direction", 100, day},
    {"tunnels.max_lifetime", SettingKind::duration, "24h", "Longest that a tunnel may be open; 0: any time",
     0, 3650 * day},
    {"tunnels.buffer", SettingKind::size, "64KiB",
     "Bytes of one tunnel that wait for its client before whoever sends is told to stop", 4 * kib, 64 * mib},

    {"store.max_size", SettingKind::size, "0",
     "Largest database, beyond which writes are refused with 503; 0: the disk decides"},
    {"store.queue", SettingKind::integer, "8192",
     "Writes that may wait for the disk, half of them of one job at the most; more are refused with 503", 1,
     1'000'000},

    {"process.core_dumps", SettingKind::boolean, "false",
     "Whether a crash may write the daemon's memory, with the secrets in it, to a file"},

    {"shutdown.grace", SettingKind::duration, "10s", "Time for requests in flight to end after SIGTERM", 0,
     hour},
};

}  // namespace

std::span<const Setting> hostSettings() {
    return settings;
}

}  // namespace sallyport::host::config
