// The filter: the only place that makes a Caller.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include <sallyport/caller.h>
#include <sallyport/errors.h>

#include "host/auth/operators.h"
#include "host/auth/worker_tokens.h"

namespace sallyport::host::auth {

/// The credentials that a request carried. A header that came more than once makes it malformed.
struct Presented {
    std::optional<std::string_view> authorization;
    std::optional<std::string_view> apiKey;  ///< `x-api-key`, looked at on the worker door only
    bool repeated = false;                   ///< one of these headers came more than once
};

/// An authenticated request's caller, and the means to see whether its token has been revoked since. To be
/// kept until the request has ended: the worker counts as present while it is.
struct Identity {
    std::shared_ptr<const Caller> caller;
    std::shared_ptr<Lease> lease;                  ///< with a Presence; null on the operator door
    std::shared_ptr<const OperatorLease> session;  ///< null on the worker door

    /// Whether the token has been revoked since.
    [[nodiscard]] bool revoked() const { return (lease && lease->revoked) || (session && session->revoked); }
};

/// Authentication for both doors. [any thread]
class Filter {
public:
    Filter(const WorkerTokens& workers, const Operators& operators);

    /// A request to `/worker/{job}/…`, `job` percent-decoded.
    /// 400 if it is no UUID; 401 if no valid token of exactly that job was presented.
    [[nodiscard]] std::variant<Identity, RequestError> worker(std::string_view job,
                                                              const Presented& presented) const;

    /// A request to `/api/…`. 401 without a valid operator token.
    [[nodiscard]] std::variant<Identity, RequestError> operators(const Presented& presented) const;

private:
    const WorkerTokens& workers_;
    const Operators& operators_;
};

}  // namespace sallyport::host::auth
