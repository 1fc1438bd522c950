// The host's settings, read into the structures of those who use them.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include <sallyport/job_terms.h>

#include "host/config/configuration.h"
#include "host/http/server.h"
#include "host/log/log.h"
#include "host/plugins/plugin_sources.h"
#include "host/store/database.h"
#include "host/trust/trust.h"

namespace sallyport::host {

struct ListenOptions {
    std::string address;
    std::size_t maxBody = 0;
    std::size_t maxConnections = 0;
};

/// Everything that the configuration says to the host itself.
struct HostOptions {
    std::string dataDirectory;
    ListenOptions worker;
    ListenOptions operators;
    std::string workerPublicUrl;
    std::chrono::milliseconds workerSilence{0};  ///< 0: never interrupt
    std::chrono::milliseconds keepJobs{0};       ///< after their end; 0: for ever
    JobLimits jobLimits;                         ///< of jobs that have none of their own
    std::chrono::milliseconds longestHold{0};    ///< of a request of a job over its rate
    http::Server::Options server;
    std::size_t eventMemory = 0;  ///< bytes of events on their way to subscribers
    store::Database::Options database;
    log::Sink::Options log;
    plugins::PluginSources plugins;
    std::chrono::milliseconds shutdownGrace{0};
    bool coreDumps = false;
    std::string portWarning;  ///< what is wrong with ORCHESTRATOR_PORT, if anything
};

/// @param trust for the files that it names. @throws config::BadValue
[[nodiscard]] HostOptions readHostOptions(const config::Configuration& configuration,
                                          const trust::Trust& trust = trust::Trust());

}  // namespace sallyport::host
