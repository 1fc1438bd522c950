// The host's settings, read into the structures of those who use them.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <sys/types.h>

#include <sallyport/job_terms.h>

#include "host/auth/sessions.h"
#include "host/config/configuration.h"
#include "host/http/listen_address.h"
#include "host/http/server.h"
#include "host/log/log.h"
#include "host/plugins/plugin_sources.h"
#include "host/store/database.h"
#include "host/trust/trust.h"

namespace sallyport::host {

struct ListenOptions {
    std::vector<http::ListenAddress> addresses;  ///< one at least; the first is the one that is told
    mode_t socketMode = 0;                       ///< of those that are Unix sockets
    http::Door::Options door;
};

/// Everything that the configuration says to the host itself.
struct HostOptions {
    std::string dataDirectory;
    ListenOptions worker;
    ListenOptions operators;
    std::vector<std::string> operatorHosts;  ///< by which browsers reach the operator door
    auth::Sessions::Options sessions;
    std::string workerPublicUrl;
    std::chrono::milliseconds workerSilence{0};  ///< 0: never interrupt
    std::chrono::milliseconds keepJobs{0};       ///< after their end; 0: for ever
    std::vector<std::string> launchers;          ///< plugins that may renew workers' tokens
    JobLimits jobLimits;                         ///< of jobs that have none of their own
    http::Server::Options server;
    std::size_t eventMemory = 0;  ///< bytes of events on their way to subscribers
    store::Database::Options database;
    log::Sink::Options log;
    plugins::PluginSources plugins;
    std::chrono::milliseconds handlerWarning{0};
    std::chrono::milliseconds shutdownGrace{0};
    bool coreDumps = false;
    std::string portWarning;  ///< what is wrong with ORCHESTRATOR_PORT, if anything
};

/// @param trust for the files that it names. @throws config::BadValue
[[nodiscard]] HostOptions readHostOptions(const config::Configuration& configuration,
                                          const trust::Trust& trust = trust::Trust());

}  // namespace sallyport::host
