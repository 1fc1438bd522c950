#include "host/auth/filter.h"

#include <algorithm>
#include <string>
#include <utility>

#include <openssl/evp.h>

#include <sallyport/ascii.h>
#include <sallyport/secret_text.h>
#include <sallyport/timestamp.h>

#include "host/auth/permissions.h"

namespace sallyport::host::auth {

namespace {

constexpr const char* repeatedHeader = "the token was sent in more than one header of the same name";
constexpr const char* noToken = "a token is needed: send the header 'Authorization: Bearer <token>'";
constexpr const char* otherScheme = "the Authorization header must be the word Bearer, a space and the token";
constexpr const char* otherShape = "the token must be 64 lower-case hexadecimal digits";
// The same words for a job that does not exist and for one that is another worker's: who probes for jobs
// learns nothing.
constexpr const char* notThisJobs = "the token is not valid for this job";
constexpr const char* notAnOperators = "the token is not valid";
constexpr const char* noProxyToken =
    "the proxy needs the job's token: send 'Proxy-Authorization: Bearer <token>', or 'Basic' with the job's "
    "id as the user and the token as the password";
constexpr const char* notAJobs = "the token in Proxy-Authorization is not valid for a job";

RequestError unauthorized(const char* message) {
    return {401, "unauthorized", message};
}

RequestError proxyUnauthorized(const char* message) {
    return {407, "proxy_unauthorized", message};
}

/// What follows the scheme (RFC 9110 section 11.4) in lower case, or nothing for any other text.
std::optional<std::string_view> afterScheme(std::string_view authorization, std::string_view scheme) {
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
        if (const auto token = afterScheme(*presented.authorization, "bearer")) {
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

/// Decodes base64 (RFC 4648 section 4). Empty for what is none, or longer than an id and a token are.
std::string decodedBase64(std::string_view text) {
    constexpr std::size_t longest = 256;
    if (text.empty() || text.size() % 4 != 0 || text.size() > longest) {
        return {};
    }
    std::string bytes(text.size() / 4 * 3, '\0');
    const int size =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (size < 0) {
        return {};
    }
    const auto padding = static_cast<std::size_t>(text.end() - std::find(text.begin(), text.end(), '='));
    bytes.resize(bytes.size() - std::min<std::size_t>(padding, 2));
    return bytes;
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
    return identityOf(std::move(lease));
}

Identity Filter::identityOf(std::shared_ptr<Lease> lease) {
    std::shared_ptr<const Caller> caller(new Caller(Realm::worker, lease->user, lease->job, noPermissions()));
    return {.caller = std::move(caller), .lease = Presence::of(std::move(lease))};
}

std::variant<Identity, RequestError> Filter::proxy(const Presented& presented) const {
    if (presented.repeated) {
        return proxyUnauthorized(repeatedHeader);
    }
    const auto& field = presented.proxyAuthorization;
    if (!field) {
        return proxyUnauthorized(noProxyToken);
    }
    std::optional<JobId> job;
    std::string pair;
    const WipedAtExit wiped(pair);
    auto token = afterScheme(*field, "bearer");
    if (const auto basic = token ? std::nullopt : afterScheme(*field, "basic")) {
        pair = decodedBase64(*basic);
        const std::string_view text = pair;
        // The last one: there are forms of an id that have colons in them, and no token has.
        const auto colon = text.rfind(':');
        job = colon == std::string_view::npos ? std::nullopt : JobId::parse(text.substr(0, colon));
        token = job ? std::optional(text.substr(colon + 1)) : std::nullopt;
    }
    if (!token || !isToken(*token)) {
        return proxyUnauthorized(noProxyToken);
    }
    auto lease = workers_.find(digest(*token));
    if (!lease || lease->revoked || (job && *job != lease->job)) {
        return proxyUnauthorized(notAJobs);
    }
    return identityOf(std::move(lease));
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
