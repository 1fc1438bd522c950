// The routes by which browsers sign in and out.
#pragma once

#include <sallyport/log.h>

#include "host/auth/operators.h"
#include "host/auth/sessions.h"
#include "host/auth/sign_in_codes.h"
#include "host/http/router.h"

namespace sallyport::host {

/// What these routes work with. All of it outlives them.
struct SessionView {
    const auth::Operators& operators;
    auth::Sessions& sessions;
    auth::SignInCodes& codes;
    Logger& log;
};

/// `/api/session`, `/api/session/codes`. They need no permission: they are about the caller's own token. The
/// filter lets in everybody to sign in, and nobody else without a token or a session.
[[nodiscard]] http::RouteTable::Routes sessionRoutes(SessionView view);

}  // namespace sallyport::host
