#include "host/auth/sign_in_codes.h"

#include <utility>

namespace sallyport::host::auth {

std::string SignInCodes::make(OperatorToken token, Clock::time_point now) {
    std::string code = newToken();
    const auto id = token.id;
    const std::lock_guard lock(mutex_);
    table_.add(digest(code), id, {std::move(token), now});
    return code;
}

std::optional<OperatorToken> SignInCodes::redeem(const Digest& code, Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    auto found = table_.take(code);
    if (!found || now - found->madeAt >= lifetime || found->token.lease->ended()) {
        return std::nullopt;
    }
    return std::move(found->token);
}

}  // namespace sallyport::host::auth
