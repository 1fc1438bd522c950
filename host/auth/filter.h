// The filter: the only place that makes a Caller.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include <sallyport/caller.h>
#include <sallyport/errors.h>

#include "host/auth/browser_door.h"
#include "host/auth/operators.h"
#include "host/auth/presented.h"
#include "host/auth/sessions.h"
#include "host/auth/worker_tokens.h"

namespace sallyport::host::auth {

/// An authenticated request's caller, and the means to see whether its token has been revoked since. To be
/// kept until the request has ended: the worker counts as present while it is.
struct Identity {
    std::shared_ptr<const Caller> caller;
    std::shared_ptr<Lease> lease{};                ///< with a Presence; null on the operator door
    std::shared_ptr<const OperatorToken> token{};  ///< null on the worker door, and of who signs in
    std::shared_ptr<const Session> browser{};      ///< by whose cookie it came; null for a bearer
    bool secure = false;                           ///< it came under TLS

    /// Whether the token has been revoked since, or the session ended.
    [[nodiscard]] bool revoked() const {
        return (lease && lease->revoked) || (token && token->lease->ended()) ||
               (token && browser && browser->lease->ended());
    }

    /// Whether it says nothing but that somebody wants to sign in.
    [[nodiscard]] bool isStranger() const { return !lease && !token; }
};

/// Authentication for both doors. [any thread]
class Filter {
public:
    using Clock = BrowserDoor::Clock;

    /// @param browsers for sessions; null: there are none. All of them outlive this.
    Filter(const WorkerTokens& workers, const Operators& operators, BrowserDoor* browsers = nullptr);

    /// A request to `/worker/{job}/…`, `job` percent-decoded.
    /// 400 if it is no UUID; 401 if no valid token of exactly that job was presented.
    [[nodiscard]] std::variant<Identity, RequestError> worker(std::string_view job,
                                                              const Presented& presented) const;

    /// A request to the worker door's proxy. 407 unless a job's token was presented, by itself (`Bearer`) or
    /// with the id of that job (`Basic`).
    [[nodiscard]] std::variant<Identity, RequestError> proxy(const Presented& presented) const;

    /// A request to `/api/…`. 401 without a valid operator token, or the cookie of a session, which counts
    /// where there is no `Authorization`; see BrowserDoor for what else is asked of browsers.
    [[nodiscard]] std::variant<Identity, RequestError> operators(const Presented& presented,
                                                                 Clock::time_point now = Clock::now()) const;

    /// A request to sign in: nobody yet, without any permission. Its `browser` is the session that is to be
    /// replaced, if it shows one.
    [[nodiscard]] std::variant<Identity, RequestError> stranger(const Presented& presented,
                                                                Clock::time_point now = Clock::now()) const;

    /// `421` for what is meant for somebody else than the operator door.
    [[nodiscard]] std::optional<RequestError> misdirected(const Presented& presented) const;

private:
    [[nodiscard]] static Identity identityOf(std::shared_ptr<Lease> lease);

    const WorkerTokens& workers_;
    const Operators& operators_;
    BrowserDoor* const browsers_;
};

}  // namespace sallyport::host::auth
