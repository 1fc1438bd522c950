// What the filter asks of browsers.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include <sallyport/errors.h>

#include "host/auth/own_names.h"
#include "host/auth/presented.h"
#include "host/auth/sessions.h"
#include "host/auth/sign_in_pace.h"

namespace sallyport::host::auth {

/// A browser sends cookies by itself, for any page that asks it to, and lets a page choose the name under
/// which it reaches this host. So it has to show more than others: that it asks for one of the door's own
/// names, from a page of that name, and, to change something, that the page can read what it was told here.
/// [any thread]
class BrowserDoor {
public:
    using Clock = Sessions::Clock;

    /// @param sessions outlive this.
    BrowserDoor(Sessions& sessions, OwnNames names) : sessions_(sessions), names_(std::move(names)) {}

    /// Whether a page's request shows itself as one. What no page sent is no attack by one, whatever host it
    /// names.
    [[nodiscard]] static bool isBrowsers(const Presented& presented);

    /// `421` if the request is meant for somebody else.
    [[nodiscard]] std::optional<RequestError> misdirected(const Presented& presented) const;

    /// The session whose cookie the request carries; null if it carries none. 421 and 401 where that counts
    /// for nothing, 403 if another page sent it.
    [[nodiscard]] std::variant<std::shared_ptr<const Session>, RequestError> session(
        const Presented& presented, Clock::time_point now);

    /// The session, if any, that the browser has before it signs in anew.
    [[nodiscard]] std::shared_ptr<const Session> replaced(const Presented& presented, Clock::time_point now);

    /// Why nobody can sign in by this request, whatever it says: 421, 403, or 429 for one of too many.
    [[nodiscard]] std::optional<RequestError> signInRefusal(const Presented& presented,
                                                            Clock::time_point now);

private:
    [[nodiscard]] std::optional<RequestError> wrongName(const Presented& presented) const;

    Sessions& sessions_;
    const OwnNames names_;
    SignInPace pace_;
};

}  // namespace sallyport::host::auth
