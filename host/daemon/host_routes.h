// The routes that are the host's own: what runs, and who may use it.
#pragma once

#include <chrono>
#include <functional>

#include <sallyport/jobs.h>

#include "host/auth/operators.h"
#include "host/daemon/crash_watch.h"
#include "host/daemon/reloader.h"
#include "host/http/router.h"
#include "host/plugins/plugin_set.h"
#include "host/store/database.h"

namespace sallyport::host {

/// What these routes show. All of it outlives them.
struct HostView {
    auth::Operators& operators;
    Jobs& jobs;
    Logger& log;
    CrashWatch& crashes;
    std::chrono::milliseconds slowAfter;  ///< what runs longer is shown
    std::function<std::vector<plugins::PluginInfo>()> plugins;
    /// False when no reload is made any more.
    std::function<bool(Reloader::Done)> reload;
    std::function<std::size_t()> connections;
    std::function<std::size_t()> subscribers;
    std::function<std::optional<std::string>()> storeTrouble;
    /// Revocations that hold and that the database has still to be told.
    std::function<std::size_t()> storeUnwritten;
    std::function<store::Database::Space()> storeSpace;
    /// Realm word and address of each listener that is told.
    std::function<std::vector<std::pair<std::string, std::string>>()> listeners;
};

/// A route of the host's own at the operator door, to be filled in further.
[[nodiscard]] std::shared_ptr<http::Route> hostRoute(std::shared_ptr<http::Gate> gate, const char* method,
                                                     const char* pattern, Handler handler);

/// `/api/status`, `/api/plugins`, `/api/plugins/reload`, `/api/plugins/{name}/acknowledge`,
/// `/api/jobs/{job_id}/release`, `/api/tokens`.
[[nodiscard]] http::RouteTable::Routes hostRoutes(HostView view);

}  // namespace sallyport::host
