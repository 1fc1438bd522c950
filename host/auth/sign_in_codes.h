// Codes by which an operator hands a session to a browser.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>

#include "host/auth/digest_table.h"
#include "host/auth/operators.h"

namespace sallyport::host::auth {

/// A code stands for the operator token for which it was made, once and for a minute. Only digests are kept,
/// in memory. [any thread]
class SignInCodes {
public:
    using Clock = std::chrono::steady_clock;

    static constexpr std::chrono::seconds lifetime{60};
    /// Of one token, and of all together. Beyond that the oldest is void.
    static constexpr std::size_t perToken = 16;
    static constexpr std::size_t total = 256;

    /// @return a new code, 64 lower-case hex characters.
    [[nodiscard]] std::string make(OperatorToken token, Clock::time_point now = Clock::now());

    /// Whose code it is, which is void from here on. Nothing if there is none, it was used, its time is over
    /// or its token has been revoked.
    [[nodiscard]] std::optional<OperatorToken> redeem(const Digest& code,
                                                      Clock::time_point now = Clock::now());

private:
    struct Code {
        OperatorToken token;
        Clock::time_point madeAt;
    };

    std::mutex mutex_;
    DigestTable<Code> table_{{perToken, total}};
};

}  // namespace sallyport::host::auth
