// Sessions of browsers: an operator's token by other means.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/auth/digest_table.h"
#include "host/auth/operators.h"

namespace sallyport::host::auth {

/// One browser's right to call, for as long as its token has it. [any thread]
struct Session {
    using Clock = std::chrono::steady_clock;

    Session(OperatorToken operatorToken, Clock::time_point now)
        : token(std::move(operatorToken)),
          csrfToken(newToken()),
          openedAt(now),
          lastUsed(now),
          lease(std::make_shared<OperatorLease>(token.lease)) {}

    const OperatorToken token;    ///< as which it acts
    const std::string csrfToken;  ///< that its unsafe requests carry as well
    const Clock::time_point openedAt;
    std::atomic<Clock::time_point> lastUsed;
    const std::shared_ptr<OperatorLease> lease;  ///< ends with the session, and with the token
};

/// All sessions. They live in memory alone: a restart ends them, and their secrets are kept as digests.
/// [any thread]
class Sessions {
public:
    using Clock = Session::Clock;

    struct Options {
        std::chrono::milliseconds idleTimeout{0};  ///< without a request
        std::chrono::milliseconds lifetime{0};     ///< in any case
        std::size_t perToken = 0;                  ///< beyond which the oldest of the token ends
        std::size_t total = 0;                     ///< beyond which the oldest of all ends
    };

    explicit Sessions(const Options& options);

    struct Opened {
        std::string secret;  ///< for the browser alone
        std::shared_ptr<const Session> session;
    };
    [[nodiscard]] Opened open(OperatorToken token, Clock::time_point now = Clock::now());

    /// The session of that secret, which counts as used now; null when there is none, or none any more.
    [[nodiscard]] std::shared_ptr<const Session> use(const Digest& secret,
                                                     Clock::time_point now = Clock::now());

    /// Ends it at once, on every connection. Again is fine.
    void close(const Session& session);

    /// Ends those whose time is over, or whose token has been revoked. To be called every now and then: what
    /// is over is no longer found in any case, but streams are cut by this.
    void endOverdue(Clock::time_point now = Clock::now());

    /// Calls `ended` after sessions have ended but for their tokens' sake, on the ending thread. [before any
    /// does]
    void onEnded(std::function<void()> ended) { ended_ = std::move(ended); }

    [[nodiscard]] const Options& options() const noexcept { return options_; }
    [[nodiscard]] std::size_t count() const;

private:
    using Held = std::shared_ptr<Session>;

    [[nodiscard]] bool isOver(const Session& session, Clock::time_point now) const;
    void end(const std::vector<Held>& gone) const;

    const Options options_;
    std::function<void()> ended_;
    mutable std::mutex mutex_;
    DigestTable<Held> table_;
};

}  // namespace sallyport::host::auth
