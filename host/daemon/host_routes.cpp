#include "host/daemon/host_routes.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include <build_info.h>
#include <unistd.h>

#include <sallyport/errors.h>
#include <sallyport/json_writer.h>
#include <sallyport/permission.h>
#include <sallyport/timestamp.h>
#include <sallyport/user_id.h>

#include "host/auth/permissions.h"

namespace sallyport::host {

namespace {

constexpr std::size_t mostText = 128;

/// Null for none.
std::optional<std::string> unlessEmpty(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
}

std::optional<std::string> idOf(const std::optional<JobId>& job) {
    return job ? std::optional(job->str()) : std::nullopt;
}

void addNames(json::Writer& answer, const char* member, const std::vector<std::string>& names) {
    answer.key(member).beginArray();
    for (const std::string& name : names) {
        answer.string(name);
    }
    answer.endArray();
}

/// An array of what `describe` writes of each, an object.
template <class Each>
void addAll(json::Writer& answer, const char* member, const std::vector<Each>& all,
            void (*describe)(json::Writer&, const Each&)) {
    answer.key(member).beginArray();
    for (const Each& each : all) {
        describe(answer.beginObject(), each);
        answer.endObject();
    }
    answer.endArray();
}

void describeCall(json::Writer& answer, const entry::Running& call) {
    answer.member("callback", call.callback);
    answer.member("route", unlessEmpty(call.route));
    answer.member("request_id", unlessEmpty(call.request));
    answer.member("job_id", idOf(call.job));
    answer.member("running_ms", call.time.count());
}

void describeCrash(json::Writer& answer, const entry::Crash& crash) {
    answer.member("crashed_at", crash.time);
    answer.member("version", crash.version);
    answer.member("callback", unlessEmpty(crash.callback));
    answer.member("route", unlessEmpty(crash.route));
    answer.member("request_id", unlessEmpty(crash.request));
    answer.member("job_id", idOf(crash.job));
    answer.member("signal", crash.signal);
    answer.member("error", unlessEmpty(crash.error));
}

/// What plugins do wrong, at this moment and in earlier runs.
struct Faults {
    std::vector<entry::Running> slow;
    entry::CrashHistory history;

    [[nodiscard]] std::vector<entry::Running> slowOf(const std::string& plugin) const {
        return those(slow, plugin);
    }
    [[nodiscard]] std::vector<entry::Crash> crashesOf(const std::string& plugin) const {
        return those(history.crashes, plugin);
    }

private:
    template <class Fault>
    static std::vector<Fault> those(const std::vector<Fault>& all, const std::string& plugin) {
        std::vector<Fault> found;
        std::ranges::copy_if(all, std::back_inserter(found),
                             [&plugin](const Fault& fault) { return fault.plugin == plugin; });
        return found;
    }
};

void describe(json::Writer& answer, const plugins::PluginInfo& info, const Faults& faults) {
    answer.member("name", info.name);
    answer.member("version", info.version);
    answer.member("summary", info.summary);
    answer.member("file", info.file);
    answer.member("sha256", unlessEmpty(info.sha256));
    answer.member("state", info.running ? "running" : "refused");
    answer.member("error", info.running ? std::nullopt : std::optional(info.error));
    answer.member("retried", info.postponed);
    answer.member("trouble", info.trouble);
    addAll(answer, "slow", faults.slowOf(info.name), describeCall);
    addAll(answer, "crashes", faults.crashesOf(info.name), describeCrash);
    answer.key("routes").beginArray();
    for (std::size_t i = 0; i < info.paths.size(); ++i) {
        answer.beginObject().member("method", info.methods[i]).member("path", info.paths[i]);
        answer.member("permission", unlessEmpty(info.permissions[i])).endObject();
    }
    answer.endArray();
}

void describe(json::Writer& answer, const plugins::ReloadReport& report) {
    addNames(answer, "loaded", report.loaded);
    addNames(answer, "reloaded", report.reloaded);
    addNames(answer, "unloaded", report.unloaded);
    addNames(answer, "unchanged", report.unchanged);
    answer.key("refused").beginArray();
    for (const auto& refusal : report.refused) {
        answer.beginObject().member("file", refusal.file).member("reason", refusal.reason).endObject();
    }
    answer.endArray();
}

void describeToken(json::Writer& answer, const auth::OperatorToken& token) {
    answer.member("token_id", token.id);
    answer.member("name", token.name);
    answer.member("user_id", token.user);
    answer.member("role", name(token.role));
    answer.member("created_at", rfc3339(token.createdAt));
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
        return Reply::json(200, [this](json::Writer& answer) { describeStatus(answer); });
    }

    [[nodiscard]] Reply plugins() const {
        const auto known = faults();
        return Reply::json(200, [&](json::Writer& answer) {
            answer.key("plugins").beginArray();
            for (const auto& info : view_.plugins()) {
                describe(answer.beginObject(), info, known);
                answer.endObject();
            }
            answer.endArray();
        });
    }

    /// Needs no thread of those that it may have to wait for.
    [[nodiscard]] Reply reload() const {
        return Reply::deferred([this](const Promise& promise) {
            const bool accepted = view_.reload(
                [promise](const plugins::ReloadReport* report, const std::exception_ptr& problem) {
                    promise.fulfil(
                        report != nullptr
                            ? Reply::json(200, [&](json::Writer& answer) { describe(answer, *report); })
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
        return Reply::json(200, [&](json::Writer& answer) {
            answer.member("status", "acknowledged").member("plugin", plugin).member("crashes", count);
        });
    }

    [[nodiscard]] Reply release(const Call& call) const {
        const auto job = JobId::parse(call.param("job_id"));
        if (!job) {
            throw RequestError(400, "invalid_job_id", "the job id in the path is not a UUID");
        }
        if (!view_.crashes.release(*job)) {
            throw notFound("the job is not quarantined");
        }
        return Reply::json(200, [&job](json::Writer& answer) {
            answer.member("status", "released").member("job_id", job->str());
        });
    }

    [[nodiscard]] Reply tokens() const {
        return Reply::json(200, [this](json::Writer& answer) {
            addAll(answer, "tokens", view_.operators.list(), describeToken);
        });
    }

    [[nodiscard]] Reply createToken(const Call& call) const {
        const auto body = call.json();
        const auto chosen = auth::parseRole(body.optionalString("role").value_or("user"));
        if (!chosen) {
            throw invalidField("role", "must be " + auth::roleNames());
        }
        const auto created =
            view_.operators.create(label(body, "name"), userIn(body).value_or("default"), *chosen);
        return Reply::json(201, [&created](json::Writer& answer) {
            answer.member("token_id", created.token.id);
            answer.member("token", created.secret);
            answer.member("name", created.token.name);
            answer.member("user_id", created.token.user);
            answer.member("role", name(created.token.role));
        });
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
        return Reply::json(200, [&](json::Writer& answer) {
            answer.member("status", "revoked").member("token_id", id);
            if (!view_.operators.durable(id)) {
                answer.member("durable", false);
            }
        });
    }

private:
    [[nodiscard]] Faults faults() const { return {entry::running(view_.slowAfter), view_.crashes.history()}; }

    void describeStatus(json::Writer& answer) const {
        const auto known = faults();
        const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(now() - startedAt_);
        answer.member("version", version);
        answer.member("pid", ::getpid());
        answer.member("started_at", rfc3339(startedAt_));
        answer.member("uptime_seconds", uptime.count());
        answer.key("listeners").beginArray();
        for (const auto& [realm, address] : view_.listeners()) {
            answer.beginObject().member("realm", realm).member("address", address).endObject();
        }
        answer.endArray();
        answer.member("connections", view_.connections());
        answer.member("subscribers", view_.subscribers());
        addJobs(answer.key("jobs"));
        addStore(answer.key("store"));
        answer.key("plugins").beginArray();
        for (const auto& info : view_.plugins()) {
            const auto slow = known.slowOf(info.name).size();
            answer.beginObject().member("name", info.name).member("version", info.version);
            answer.member("healthy", info.running && !info.trouble && slow == 0);
            answer.member("slow_calls", slow);
            answer.member("crashes", known.crashesOf(info.name).size()).endObject();
        }
        answer.endArray();
        addAll(answer, "daemon_crashes", known.crashesOf(http::hostName), describeCrash);
        answer.key("quarantined_jobs").beginArray();
        for (const auto& job : known.history.quarantined) {
            if (view_.crashes.holds(job)) {
                answer.string(job.str());
            }
        }
        answer.endArray();
    }

    /// Null when the database cannot be read: the rest of the status is what one wants to see then.
    void addJobs(json::Writer& answer) const {
        std::vector<JobCount> counts;
        try {
            counts = view_.jobs.count(std::nullopt);
        } catch (const StoreError&) {
            answer.null();
            return;
        }
        std::uint64_t total = 0;
        answer.beginObject();
        for (const auto& [state, count] : counts) {
            answer.member(name(state), count);
            total += count;
        }
        answer.member("total", total).endObject();
    }

    void addStore(json::Writer& answer) const {
        const auto trouble = view_.storeTrouble();
        answer.beginObject();
        answer.member("healthy", !trouble);
        answer.member("trouble", trouble);
        answer.member("unwritten", view_.storeUnwritten());
        try {
            const auto space = view_.storeSpace();
            answer.member("size_bytes", space.size).member("free_bytes", space.free);
        } catch (const StoreError&) {
            answer.key("size_bytes").null().key("free_bytes").null();
        }
        answer.endObject();
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
