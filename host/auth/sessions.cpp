#include "host/auth/sessions.h"

#include <utility>

namespace sallyport::host::auth {

Sessions::Sessions(const Options& options) : options_(options), table_({options.perToken, options.total}) {}

bool Sessions::isOver(const Session& session, Clock::time_point now) const {
    return session.lease->ended() || now - session.openedAt >= options_.lifetime ||
           now - session.lastUsed.load() >= options_.idleTimeout;
}

/// [without `mutex_`]
void Sessions::end(const std::vector<Held>& gone) const {
    for (const auto& session : gone) {
        session->lease->revoked = true;
    }
    if (!gone.empty() && ended_) {
        ended_();
    }
}

Sessions::Opened Sessions::open(OperatorToken token, Clock::time_point now) {
    std::string secret = newToken();
    const auto id = token.id;
    auto session = std::make_shared<Session>(std::move(token), now);
    std::vector<Held> gone;
    {
        const std::lock_guard lock(mutex_);
        gone = table_.add(digest(secret), id, session);
    }
    end(gone);
    return {std::move(secret), std::move(session)};
}

std::shared_ptr<const Session> Sessions::use(const Digest& secret, Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    const auto* const found = table_.find(secret);
    if (found == nullptr || isOver(**found, now)) {
        return nullptr;
    }
    (*found)->lastUsed = now;
    return *found;
}

void Sessions::close(const Session& session) {
    std::vector<Held> gone;
    {
        const std::lock_guard lock(mutex_);
        gone = table_.takeThose([&](const Held& other) { return other.get() == &session; });
    }
    end(gone);
}

void Sessions::endOverdue(Clock::time_point now) {
    std::vector<Held> gone;
    {
        const std::lock_guard lock(mutex_);
        gone = table_.takeThose([&](const Held& session) { return isOver(*session, now); });
    }
    end(gone);
}

std::size_t Sessions::count() const {
    const std::lock_guard lock(mutex_);
    return table_.size();
}

}  // namespace sallyport::host::auth
