#include "host/daemon/host_routes.h"

#include <charconv>

#include <build_info.h>
#include <unistd.h>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include <sallyport/errors.h>
#include <sallyport/timestamp.h>
#include <sallyport/user_id.h>

namespace sallyport::host {

namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;

constexpr std::size_t mostText = 128;

Object object() {
    return Object(Poco::JSON_PRESERVE_KEY_ORDER);
}

template <class T>
Array array(const std::vector<T>& values) {
    Array result;
    for (const auto& value : values)
        result.add(value);
    return result;
}

template <class T>
Poco::Dynamic::Var orNull(const T& value, bool present) {
    return present ? Poco::Dynamic::Var(value) : Poco::Dynamic::Var();
}

Object describe(const plugins::PluginInfo& info) {
    Array routes;
    for (std::size_t i = 0; i < info.paths.size(); ++i) {
        auto route = object();
        route.set("method", info.methods[i]);
        route.set("path", info.paths[i]);
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
    if (text.empty() || text.size() > mostText)
        throw invalidField(field, "must have 1 to " + std::to_string(mostText) + " characters");
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            throw invalidField(field, "must not contain control characters");
    }
    return text;
}

class HostHandlers {
public:
    explicit HostHandlers(HostView view) : view_(std::move(view)), startedAt_(now()) {}

    [[nodiscard]] Reply status() const {
        Array listeners;
        for (const auto& [realm, address] : view_.listeners()) {
            auto listener = object();
            listener.set("realm", realm);
            listener.set("address", address);
            listeners.add(listener);
        }
        Array running;
        for (const auto& info : view_.plugins()) {
            auto plugin = object();
            plugin.set("name", info.name);
            plugin.set("version", info.version);
            plugin.set("healthy", info.running && !info.trouble);
            running.add(plugin);
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
        return Reply::json(200, result);
    }

    [[nodiscard]] Reply plugins() const {
        Array list;
        for (const auto& info : view_.plugins())
            list.add(describe(info));
        auto result = object();
        result.set("plugins", list);
        return Reply::json(200, result);
    }

    [[nodiscard]] Reply reload() const { return Reply::json(200, describe(view_.reload())); }

    [[nodiscard]] Reply tokens() const {
        Array list;
        for (const auto& token : view_.operators.list())
            list.add(describe(token));
        auto result = object();
        result.set("tokens", list);
        return Reply::json(200, result);
    }

    [[nodiscard]] Reply createToken(const Call& call) const {
        const auto body = call.json();
        const auto role = body.optionalString("role").value_or("user");
        std::optional<Role> chosen;
        for (const auto candidate : {Role::viewer, Role::user, Role::admin}) {
            if (role == name(candidate))
                chosen = candidate;
        }
        if (!chosen)
            throw invalidField("role", "must be viewer, user or admin");
        const auto created =
            view_.operators.create(label(body, "name"), userIn(body).value_or("default"), *chosen);
        auto result = object();
        result.set("token_id", created.token.id);
        result.set("token", created.secret);
        result.set("name", created.token.name);
        result.set("user_id", created.token.user);
        result.set("role", name(created.token.role));
        return Reply::json(201, result);
    }

    [[nodiscard]] Reply revokeToken(const Call& call) const {
        const auto text = call.param("token_id");
        std::int64_t id = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
        if (error != std::errc{} || end != text.data() + text.size())
            throw badRequest("A token's id is a number.");
        if (!view_.operators.revoke(id))
            throw notFound("there is no such token");
        auto result = object();
        result.set("status", "revoked");
        result.set("token_id", id);
        if (!view_.operators.durable(id))
            result.set("durable", false);
        return Reply::json(200, result);
    }

private:
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

http::RouteTable::Routes hostRoutes(HostView view) {
    const auto handlers = std::make_shared<const HostHandlers>(std::move(view));
    const auto gate = std::make_shared<http::Gate>(http::hostName);
    http::RouteTable::Routes routes;
    const auto add = [&](const char* method, const char* pattern, Role role, Body body, Handler handler) {
        auto route = std::make_shared<http::Route>();
        route->gate = gate;
        route->realm = Realm::operators;
        route->method = method;
        route->pattern = pattern;
        route->role = role;
        route->body = body;
        route->handler = std::move(handler);
        routes.push_back(std::move(route));
    };
    add("GET", "/status", Role::viewer, Body::none, [handlers](const Call&) { return handlers->status(); });
    add("GET", "/plugins", Role::viewer, Body::none, [handlers](const Call&) { return handlers->plugins(); });
    add("POST", "/plugins/reload", Role::admin, Body::none,
        [handlers](const Call&) { return handlers->reload(); });
    add("GET", "/tokens", Role::admin, Body::none, [handlers](const Call&) { return handlers->tokens(); });
    add("POST", "/tokens", Role::admin, Body::json,
        [handlers](const Call& call) { return handlers->createToken(call); });
    add("DELETE", "/tokens/{token_id}", Role::admin, Body::none,
        [handlers](const Call& call) { return handlers->revokeToken(call); });
    return routes;
}

}  // namespace sallyport::host
