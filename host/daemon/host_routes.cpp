#include "host/daemon/host_routes.h"

#include <charconv>
#include <sstream>
#include <utility>

#include <build_info.h>
#include <unistd.h>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include <sallyport/errors.h>
#include <sallyport/permission.h>
#include <sallyport/timestamp.h>
#include <sallyport/user_id.h>

#include "host/auth/permissions.h"
#include "sdk/src/utf8.h"

namespace sallyport::host {

namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;

constexpr std::size_t mostText = 128;

Object object() {
    return Object(Poco::JSON_PRESERVE_KEY_ORDER);
}

Reply treeReply(int status, const Object& tree) {
    std::ostringstream text;
    tree.stringify(text);
    // Poco escapes what JSON wants escaped, and passes bytes that are no UTF-8 on as they are.
    return Reply::jsonText(status, utf8::repaired(std::move(text).str()));
}

template <class T>
Array array(const std::vector<T>& values) {
    Array result;
    for (const auto& value : values) {
        result.add(value);
    }
    return result;
}

template <class T>
Poco::Dynamic::Var orNull(const T& value, bool present) {
    return present ? Poco::Dynamic::Var(value) : Poco::Dynamic::Var();
}

Object describe(const entry::Running& call) {
    auto result = object();
    result.set("callback", call.callback);
    result.set("route", orNull(call.route, !call.route.empty()));
    result.set("request_id", orNull(call.request, !call.request.empty()));
    result.set("job_id", orNull(call.job.value_or(JobId()).str(), call.job.has_value()));
    result.set("running_ms", static_cast<std::int64_t>(call.time.count()));
    return result;
}

Object describe(const entry::Crash& crash) {
    auto result = object();
    result.set("crashed_at", crash.time);
    result.set("version", crash.version);
    result.set("callback", orNull(crash.callback, !crash.callback.empty()));
    result.set("route", orNull(crash.route, !crash.route.empty()));
    result.set("request_id", orNull(crash.request, !crash.request.empty()));
    result.set("job_id", orNull(crash.job.value_or(JobId()).str(), crash.job.has_value()));
    result.set("signal", crash.signal);
    result.set("error", orNull(crash.error, !crash.error.empty()));
    return result;
}

/// What plugins do wrong, at this moment and in earlier runs.
struct Faults {
    std::vector<entry::Running> slow;
    entry::CrashHistory history;

    [[nodiscard]] Array slowOf(const std::string& plugin) const {
        Array list;
        for (const auto& call : slow) {
            if (call.plugin == plugin) {
                list.add(describe(call));
            }
        }
        return list;
    }
    [[nodiscard]] Array crashesOf(const std::string& plugin) const {
        Array list;
        for (const auto& crash : history.crashes) {
            if (crash.plugin == plugin) {
                list.add(describe(crash));
            }
        }
        return list;
    }
};

Object describe(const plugins::PluginInfo& info, const Faults& faults) {
    Array routes;
    for (std::size_t i = 0; i < info.paths.size(); ++i) {
        auto route = object();
        route.set("method", info.methods[i]);
        route.set("path", info.paths[i]);
        route.set("permission", orNull(info.permissions[i], !info.permissions[i].empty()));
        routes.add(route);
    }
    auto result = object();
    result.set("name", info.name);
    result.set("version", info.version);
    result.set("summary", info.summary);
    result.set("file", info.file);
    result.set("sha256", orNull(info.sha256, !info.sha256.empty()));
    result.set("state", info.running ? "running" : "refused");
    result.set("error", orNull(info.error, !info.running));
    result.set("retried", info.postponed);
    result.set("trouble", orNull(info.trouble.value_or(""), info.trouble.has_value()));
    result.set("slow", faults.slowOf(info.name));
    result.set("crashes", faults.crashesOf(info.name));
    result.set("routes", routes);
    return result;
}

Object describe(const plugins::ReloadReport& report) {
    Array refused;
    for (const auto& refusal : report.refused) {
        auto entry = object();
        entry.set("file", refusal.file);
        entry.set("reason", refusal.reason);
        refused.add(entry);
    }
    auto result = object();
    result.set("loaded", array(report.loaded));
    result.set("reloaded", array(report.reloaded));
    result.set("unloaded", array(report.unloaded));
    result.set("unchanged", array(report.unchanged));
    result.set("refused", refused);
    return result;
}

Object describe(const auth::OperatorToken& token) {
    auto result = object();
    result.set("token_id", token.id);
    result.set("name", token.name);
    result.set("user_id", token.user);
    result.set("role", name(token.role));
    result.set("created_at", rfc3339(token.createdAt));
    return result;
}

/// A field that a person typed and others will read.
std::string label(const json::Object& body, const char* field) {
    auto text = body.string(field);
    if (text.empty() || text.size() > mostText) {
        throw invalidField(field, "must have 1 to " + std::to_string(mostText) + " characters");
    }
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            throw invalidField(field, "must not contain control characters");
        }
    }
    return text;
}

class HostHandlers {
public:
    explicit HostHandlers(HostView view) : view_(std::move(view)), startedAt_(now()) {}

    [[nodiscard]] Logger& log() const { return view_.log; }

    [[nodiscard]] Reply status() const {
        Array listeners;
        for (const auto& [realm, address] : view_.listeners()) {
            auto listener = object();
            listener.set("realm", realm);
            listener.set("address", address);
            listeners.add(listener);
        }
        const auto known = faults();
        Array running;
        for (const auto& info : view_.plugins()) {
            const auto slow = known.slowOf(info.name).size();
            auto plugin = object();
            plugin.set("name", info.name);
            plugin.set("version", info.version);
            plugin.set("healthy", info.running && !info.trouble && slow == 0);
            plugin.set("slow_calls", static_cast<std::uint64_t>(slow));
            plugin.set("crashes", static_cast<std::uint64_t>(known.crashesOf(info.name).size()));
            running.add(plugin);
        }
        Array quarantined;
        for (const auto& job : known.history.quarantined) {
            if (view_.crashes.holds(job)) {
                quarantined.add(job.str());
            }
        }
        auto result = object();
        result.set("version", version);
        result.set("pid", static_cast<std::int64_t>(::getpid()));
        result.set("started_at", rfc3339(startedAt_));
        result.set("uptime_seconds",
                   static_cast<std::int64_t>(
                       std::chrono::duration_cast<std::chrono::seconds>(now() - startedAt_).count()));
        result.set("listeners", listeners);
        result.set("connections", static_cast<std::uint64_t>(view_.connections()));
        result.set("subscribers", static_cast<std::uint64_t>(view_.subscribers()));
        result.set("jobs", whileReadable([this] { return jobs(); }));
        result.set("store", store());
        result.set("plugins", running);
        result.set("daemon_crashes", known.crashesOf(http::hostName));
        result.set("quarantined_jobs", quarantined);
        return treeReply(200, result);
    }

    [[nodiscard]] Reply plugins() const {
        const auto known = faults();
        Array list;
        for (const auto& info : view_.plugins()) {
            list.add(describe(info, known));
        }
        auto result = object();
        result.set("plugins", list);
        return treeReply(200, result);
    }

    /// Needs no thread of those that it may have to wait for.
    [[nodiscard]] Reply reload() const {
        return Reply::deferred([this](const Promise& promise) {
            const bool accepted = view_.reload(
                [promise](const plugins::ReloadReport* report, const std::exception_ptr& problem) {
                    promise.fulfil(report != nullptr ? treeReply(200, describe(*report))
                                                     : Reply::failure(problem));
                });
            if (!accepted) {
                promise.fulfil(Reply::error(RequestError(503, "stopping", "the daemon is stopping")));
            }
        });
    }

    [[nodiscard]] Reply acknowledge(const Call& call) const {
        const std::string plugin(call.param("name"));
        const auto count = view_.crashes.acknowledge(plugin);
        if (count == 0) {
            throw notFound("no crash of that plugin waits to be acknowledged");
        }
        auto result = object();
        result.set("status", "acknowledged");
        result.set("plugin", plugin);
        result.set("crashes", static_cast<std::uint64_t>(count));
        return treeReply(200, result);
    }

    [[nodiscard]] Reply release(const Call& call) const {
        const auto job = JobId::parse(call.param("job_id"));
        if (!job) {
            throw RequestError(400, "invalid_job_id", "the job id in the path is not a UUID");
        }
        if (!view_.crashes.release(*job)) {
            throw notFound("the job is not quarantined");
        }
        auto result = object();
        result.set("status", "released");
        result.set("job_id", job->str());
        return treeReply(200, result);
    }

    [[nodiscard]] Reply tokens() const {
        Array list;
        for (const auto& token : view_.operators.list()) {
            list.add(describe(token));
        }
        auto result = object();
        result.set("tokens", list);
        return treeReply(200, result);
    }

    [[nodiscard]] Reply createToken(const Call& call) const {
        const auto body = call.json();
        const auto chosen = auth::parseRole(body.optionalString("role").value_or("user"));
        if (!chosen) {
            throw invalidField("role", "must be " + auth::roleNames());
        }
        const auto created =
            view_.operators.create(label(body, "name"), userIn(body).value_or("default"), *chosen);
        auto result = object();
        result.set("token_id", created.token.id);
        result.set("token", created.secret);
        result.set("name", created.token.name);
        result.set("user_id", created.token.user);
        result.set("role", name(created.token.role));
        return treeReply(201, result);
    }

    [[nodiscard]] Reply revokeToken(const Call& call) const {
        const auto text = call.param("token_id");
        std::int64_t id = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
        if (error != std::errc{} || end != text.data() + text.size()) {
            throw badRequest("A token's id is a number.");
        }
        if (!view_.operators.revoke(id)) {
            throw notFound("there is no such token");
        }
        auto result = object();
        result.set("status", "revoked");
        result.set("token_id", id);
        if (!view_.operators.durable(id)) {
            result.set("durable", false);
        }
        return treeReply(200, result);
    }

private:
    [[nodiscard]] Faults faults() const { return {entry::running(view_.slowAfter), view_.crashes.history()}; }

    [[nodiscard]] Object jobs() const {
        auto counts = object();
        std::uint64_t total = 0;
        for (const auto& [state, count] : view_.jobs.count(std::nullopt)) {
            counts.set(name(state), count);
            total += count;
        }
        counts.set("total", total);
        return counts;
    }

    [[nodiscard]] Object store() const {
        auto store = object();
        const auto trouble = view_.storeTrouble();
        store.set("healthy", !trouble);
        store.set("trouble", orNull(trouble.value_or(""), trouble.has_value()));
        store.set("unwritten", static_cast<std::uint64_t>(view_.storeUnwritten()));
        try {
            const auto space = view_.storeSpace();
            store.set("size_bytes", space.size);
            store.set("free_bytes", space.free);
        } catch (const StoreError&) {
            store.set("size_bytes", Poco::Dynamic::Var());
            store.set("free_bytes", Poco::Dynamic::Var());
        }
        return store;
    }

    /// Null when the database cannot be read: the rest of the status is what one wants to see then.
    template <class F>
    static Poco::Dynamic::Var whileReadable(F describe) {
        try {
            return describe();
        } catch (const StoreError&) {
            return {};
        }
    }

    HostView view_;
    Timestamp startedAt_;
};

}  // namespace

std::shared_ptr<http::Route> hostRoute(std::shared_ptr<http::Gate> gate, const char* method,
                                       const char* pattern, Handler handler) {
    auto route = std::make_shared<http::Route>();
    route->gate = std::move(gate);
    route->realm = Realm::operators;
    route->method = method;
    route->pattern = pattern;
    route->label = route->method + " " + http::mountedPath(*route);
    route->handler = std::move(handler);
    return route;
}

http::RouteTable::Routes hostRoutes(HostView view) {
    const auto handlers = std::make_shared<const HostHandlers>(std::move(view));
    const auto gate = std::make_shared<http::Gate>(http::hostName, version, &handlers->log());
    http::RouteTable::Routes routes;
    const auto add = [&](const char* method, const char* pattern, std::string_view permission, Body body,
                         Handler handler, Run run = Run::pool) {
        auto route = hostRoute(gate, method, pattern, std::move(handler));
        route->permission = permission;
        route->body = body;
        route->run = run;
        routes.push_back(std::move(route));
    };
    add("GET", "/status", permission::statusRead, Body::none,
        [handlers](const Call&) { return handlers->status(); });
    add("GET", "/plugins", permission::pluginsRead, Body::none,
        [handlers](const Call&) { return handlers->plugins(); });
    add(
        "POST", "/plugins/reload", permission::pluginsReload, Body::none,
        [handlers](const Call&) { return handlers->reload(); }, Run::loop);
    add("POST", "/plugins/{name}/acknowledge", permission::pluginsAcknowledge, Body::none,
        [handlers](const Call& call) { return handlers->acknowledge(call); });
    add("POST", "/jobs/{job_id}/release", permission::jobsRelease, Body::none,
        [handlers](const Call& call) { return handlers->release(call); });
    add("GET", "/tokens", permission::tokensRead, Body::none,
        [handlers](const Call&) { return handlers->tokens(); });
    add("POST", "/tokens", permission::tokensWrite, Body::json,
        [handlers](const Call& call) { return handlers->createToken(call); });
    add("DELETE", "/tokens/{token_id}", permission::tokensWrite, Body::none,
        [handlers](const Call& call) { return handlers->revokeToken(call); });
    return routes;
}

}  // namespace sallyport::host
