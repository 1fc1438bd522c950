#include "host/auth/filter.h"

#include <algorithm>
#include <string>
#include <utility>

#include <sallyport/ascii.h>
#include <sallyport/timestamp.h>

#include "host/auth/permissions.h"

namespace sallyport::host::auth {

namespace {

constexpr std::size_t tokenLength = 64;

constexpr const char* repeatedHeader = "the token was sent in more than one header of the same name";
constexpr const char* noToken = "a token is needed: send the header 'Authorization: Bearer <token>'";
constexpr const char* otherScheme = "the Authorization header must be the word Bearer, a space and the token";
constexpr const char* otherShape = "the token must be 64 lower-case hexadecimal digits";
// The same words for a job that does not exist and for one that is another worker's: who probes for jobs
// learns nothing.
constexpr const char* notThisJobs = "the token is not valid for this job";
constexpr const char* notAnOperators = "the token is not valid";

RequestError unauthorized(const char* message) {
    return {401, "unauthorized", message};
}

bool isToken(std::string_view text) {
    return text.size() == tokenLength && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

/// What follows the scheme in `Bearer <token>` (RFC 6750 section 2.1), or nothing for any other text.
std::optional<std::string_view> afterScheme(std::string_view authorization) {
    constexpr std::string_view scheme = "bearer";
    if (authorization.size() <= scheme.size() || authorization[scheme.size()] != ' ' ||
        !ascii::equalsIgnoringCase(authorization.substr(0, scheme.size()), scheme)) {
        return std::nullopt;
    }
    authorization.remove_prefix(scheme.size());
    authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
    return authorization;
}

/// The digests of the well-formed tokens of one request: at most one from each header.
struct Candidates {
    std::optional<Digest> authorization;
    std::optional<Digest> apiKey;
    const char* refusal = noToken;  ///< why there is none

    [[nodiscard]] bool none() const { return !authorization && !apiKey; }
};

std::optional<Digest> digestOf(std::string_view token, Candidates& candidates) {
    if (!isToken(token)) {
        candidates.refusal = otherShape;
        return std::nullopt;
    }
    return digest(token);
}

Candidates candidatesIn(const Presented& presented, bool withApiKey) {
    Candidates candidates;
    if (presented.repeated) {
        candidates.refusal = repeatedHeader;
        return candidates;
    }
    if (presented.authorization) {
        if (const auto token = afterScheme(*presented.authorization)) {
            candidates.authorization = digestOf(*token, candidates);
        } else {
            candidates.refusal = otherScheme;
        }
    }
    if (withApiKey && presented.apiKey) {
        candidates.apiKey = digestOf(*presented.apiKey, candidates);
    }
    return candidates;
}

/// Whether one of the candidates is `expected`. Its time tells nothing about which, or how nearly.
bool matches(const Candidates& candidates, const Digest& expected) {
    const bool first = candidates.authorization && equal(*candidates.authorization, expected);
    const bool second = candidates.apiKey && equal(*candidates.apiKey, expected);
    return first || second;
}

}  // namespace

Filter::Filter(const WorkerTokens& workers, const Operators& operators, BrowserDoor* browsers)
    : workers_(workers), operators_(operators), browsers_(browsers) {}

std::variant<Identity, RequestError> Filter::worker(std::string_view job, const Presented& presented) const {
    const auto id = JobId::parse(job);
    if (!id) {
        return RequestError(400, "invalid_job_id", "the job id in the path is not a UUID");
    }
    const Candidates candidates = candidatesIn(presented, true);
    if (candidates.none()) {
        return unauthorized(candidates.refusal);
    }
    // A job that is unknown or over has no digest to compare with. It is compared all the same, so that
    // the time to the answer does not tell it from one with another token.
    static constexpr Digest nobodys{};
    auto lease = workers_.find(*id);
    const bool matched = matches(candidates, lease ? lease->digest : nobodys);
    if (!matched || !lease || lease->revoked) {
        return unauthorized(notThisJobs);
    }
    std::shared_ptr<const Caller> caller(new Caller(Realm::worker, lease->user, *id, noPermissions()));
    return Identity{.caller = std::move(caller), .lease = Presence::of(std::move(lease))};
}

std::variant<Identity, RequestError> Filter::operators(const Presented& presented,
                                                       Clock::time_point now) const {
    std::shared_ptr<const Session> browser;
    if (browsers_ != nullptr && !presented.authorization) {
        auto found = browsers_->session(presented, now);
        if (auto* const refusal = std::get_if<RequestError>(&found)) {
            return std::move(*refusal);
        }
        browser = std::get<0>(std::move(found));
    }
    std::shared_ptr<const OperatorToken> token;
    if (browser) {
        token = {browser, &browser->token};
    } else {
        const Candidates candidates = candidatesIn(presented, false);
        if (candidates.none()) {
            return unauthorized(candidates.refusal);
        }
        // A page has no token unless somebody typed it in: then it was asked for under another name.
        if (BrowserDoor::isBrowsers(presented)) {
            if (auto refusal = misdirected(presented)) {
                return *std::move(refusal);
            }
        }
        if (auto found = operators_.find(*candidates.authorization)) {
            token = std::make_shared<const OperatorToken>(*std::move(found));
        }
    }
    if (!token) {
        return unauthorized(notAnOperators);
    }
    std::shared_ptr<const Caller> caller(
        new Caller(Realm::operators, token->user, JobId{}, permissionsOf(token->role)));
    return Identity{.caller = std::move(caller),
                    .token = std::move(token),
                    .browser = std::move(browser),
                    .secure = presented.secure};
}

std::variant<Identity, RequestError> Filter::stranger(const Presented& presented,
                                                      Clock::time_point now) const {
    if (browsers_ == nullptr) {
        return unauthorized(noToken);
    }
    if (auto refusal = browsers_->signInRefusal(presented, now)) {
        return *std::move(refusal);
    }
    std::shared_ptr<const Caller> caller(new Caller(Realm::operators, {}, JobId{}, noPermissions()));
    return Identity{.caller = std::move(caller),
                    .browser = browsers_->replaced(presented, now),
                    .secure = presented.secure};
}

std::optional<RequestError> Filter::misdirected(const Presented& presented) const {
    return browsers_ != nullptr ? browsers_->misdirected(presented) : std::nullopt;
}

}  // namespace sallyport::host::auth
