#include "host/daemon/session_routes.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <sallyport/errors.h>
#include <sallyport/json_writer.h>
#include <sallyport/secret_text.h>
#include <sallyport/timestamp.h>

#include "host/auth/cookie.h"
#include "host/auth/permissions.h"
#include "host/daemon/host_routes.h"
#include "host/http/admission.h"
#include "host/http/host_call.h"

namespace sallyport::host {

namespace {

/// A token or a code, and what is around it.
constexpr std::size_t largestSignIn = 4096;

/// The host's own handlers are called with calls of the host's.
const auth::Identity& identityOf(const Call& call) {
    return static_cast<const http::HostCall&>(call).identity();
}

/// A secret out of a body, if it is there.
std::optional<SecretText> secretIn(const json::Object& body, const char* field) {
    auto text = body.optionalString(field);
    return text ? std::optional(SecretText::taken(*text)) : std::nullopt;
}

class SessionHandlers {
public:
    explicit SessionHandlers(SessionView view) : view_(view) {}

    [[nodiscard]] Reply signIn(const Call& call) const {
        const auto body = call.json();
        const auto token = secretIn(body, "token");
        const auto code = secretIn(body, "code");
        if (token.has_value() == code.has_value()) {
            throw invalidField("token", "must be given, or 'code', and not both");
        }
        auto who = token ? view_.operators.find(auth::digest(token->reveal()))
                         : view_.codes.redeem(auth::digest(code->reveal()));
        if (!who) {
            view_.log.info("a browser was not signed in", {{"request", call.requestId()}});
            return http::refusal(
                {401, "unauthorized",
                 token ? "the token is not valid"
                       : "the code is not valid: it may have been used, or be older than a minute"});
        }
        const auto& identity = identityOf(call);
        const auto opened = view_.sessions.open(*std::move(who));
        if (identity.browser) {
            view_.sessions.close(*identity.browser);
        }
        const auto& session = *opened.session;
        view_.log.info(
            "a browser signed in",
            {{"user", session.token.user}, {"token", session.token.id}, {"request", call.requestId()}});
        return described(201, session.token, &session)
            .header("Set-Cookie", auth::cookieFor(opened.secret, identity.secure,
                                                  std::chrono::duration_cast<std::chrono::seconds>(
                                                      view_.sessions.options().lifetime)));
    }

    [[nodiscard]] Reply show(const Call& call) const {
        const auto& identity = identityOf(call);
        return described(200, *identity.token, identity.browser.get());
    }

    [[nodiscard]] Reply signOut(const Call& call) const {
        const auto& identity = identityOf(call);
        if (!identity.browser) {
            throw conflict("no_session", "a token is not signed in: who wants to end it revokes it");
        }
        view_.sessions.close(*identity.browser);
        view_.log.info(
            "a browser signed out",
            {{"user", call.caller().user()}, {"token", identity.token->id}, {"request", call.requestId()}});
        return Reply::json(200, [](json::Writer& answer) { answer.member("status", "signed_out"); })
            .header("Set-Cookie", auth::expiredCookie(identity.secure));
    }

    [[nodiscard]] Reply makeCode(const Call& call) const {
        const auto& identity = identityOf(call);
        // Or a session would outlive its end, again and again.
        if (identity.browser) {
            throw conflict("is_session", "a session hands nothing on: a code is made with the token itself");
        }
        const auto code = view_.codes.make(*identity.token);
        return Reply::json(201, [&code](json::Writer& answer) {
            answer.member("code", code);
            answer.member("expires_at", rfc3339(now() + auth::SignInCodes::lifetime));
        });
    }

private:
    /// @param session null where the token itself was sent.
    [[nodiscard]] Reply described(int status, const auth::OperatorToken& token,
                                  const auth::Session* session) const {
        return Reply::json(status, [&](json::Writer& answer) { describe(answer, token, session); });
    }

    void describe(json::Writer& writer, const auth::OperatorToken& token,
                  const auth::Session* session) const {
        writer.member("user_id", token.user)
            .member("role", name(token.role))
            .member("token_id", token.id)
            .key("permissions")
            .beginArray();
        for (const auto permission : auth::permissionNames()) {
            if (auth::permissionsOf(token.role).has(permission)) {
                writer.string(permission);
            }
        }
        writer.endArray();
        if (session != nullptr) {
            const auto& options = view_.sessions.options();
            const auto left = session->openedAt + options.lifetime - auth::Sessions::Clock::now();
            writer.member("csrf_token", session->csrfToken)
                .member("expires_at", rfc3339(now() + std::chrono::duration_cast<Timestamp::duration>(left)))
                .member("idle_timeout_seconds",
                        static_cast<std::int64_t>(
                            std::chrono::duration_cast<std::chrono::seconds>(options.idleTimeout).count()));
        } else {
            writer.key("csrf_token").null().key("expires_at").null().key("idle_timeout_seconds").null();
        }
    }

    const SessionView view_;
};

}  // namespace

http::RouteTable::Routes sessionRoutes(SessionView view) {
    const auto handlers = std::make_shared<const SessionHandlers>(view);
    const auto gate = std::make_shared<http::Gate>(http::hostName, std::string(), &view.log);
    http::RouteTable::Routes routes;
    // All of it looks at memory alone: nobody who is not let in yet gets at the pool.
    const auto add = [&](const char* method, const char* pattern, Body body, Handler handler) {
        auto route = hostRoute(gate, method, pattern, std::move(handler));
        route->body = body;
        route->run = Run::loop;
        route->loopBody = largestSignIn;
        route->maxBody = largestSignIn;
        route->secret = true;
        routes.push_back(std::move(route));
    };
    add("POST", "/session", Body::json, [handlers](const Call& call) { return handlers->signIn(call); });
    add("GET", "/session", Body::none, [handlers](const Call& call) { return handlers->show(call); });
    add("DELETE", "/session", Body::none, [handlers](const Call& call) { return handlers->signOut(call); });
    add("POST", "/session/codes", Body::none,
        [handlers](const Call& call) { return handlers->makeCode(call); });
    return routes;
}

}  // namespace sallyport::host
