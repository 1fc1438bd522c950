// Operator tokens: who may use the operator door, as what.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/caller.h>
#include <sallyport/store.h>
#include <sallyport/timestamp.h>

#include "host/auth/token.h"
#include "host/store/intent_log.h"

namespace sallyport::host::auth {

/// An operator token's right to call, or that of a session of it. Connections keep it while they serve a
/// request, and look whether it has `ended` before they act. [any thread]
struct OperatorLease {
    /// @param whose the right without which this one is none: a token's, for a session.
    explicit OperatorLease(std::shared_ptr<const OperatorLease> whose = nullptr) : of(std::move(whose)) {}

    [[nodiscard]] bool ended() const { return revoked || (of && of->ended()); }

    std::atomic<bool> revoked{false};
    const std::shared_ptr<const OperatorLease> of;
};

/// An operator token without its secret.
struct OperatorToken {
    std::int64_t id = 0;
    std::string name;  ///< what a person calls it
    std::string user;
    Role role = Role::viewer;
    Timestamp createdAt{};
    std::shared_ptr<OperatorLease> lease = std::make_shared<OperatorLease>();  ///< shared by copies
};

/// All operator tokens, kept in memory and in the database. [any thread]
class Operators {
public:
    /// Creates its table and loads the tokens.
    /// @param intents where revocations are noted that the database does not take; null: nowhere.
    /// @throws StoreError
    explicit Operators(Store& store, store::IntentLog* intents = nullptr);
    ~Operators();

    /// Makes a token. @return it and its secret, shown once. Blocks until durable. @throws StoreError
    struct Created {
        OperatorToken token;
        std::string secret;
    };
    Created create(std::string name, std::string user, Role role);

    /// Ends a token at once, also where the database takes nothing, as on a full disk: it is told later.
    /// @return false if there is none of that id.
    /// @throws RequestError `409 last_admin`, for that would lock everybody out
    bool revoke(std::int64_t id);

    /// Whether the revocation of that token would outlast a crash.
    [[nodiscard]] bool durable(std::int64_t id) const;

    /// Tells the database of revocations that it has not taken, as far as it takes them now. To be called
    /// every now and then. [pool thread]
    void writeUnwritten();

    /// How many tokens are revoked without the database knowing.
    [[nodiscard]] std::size_t unwritten() const;

    /// Calls `revoked` after each later revocation, on the revoking thread. [before any revocation]
    void onRevoked(std::function<void()> revoked);

    [[nodiscard]] std::vector<OperatorToken> list() const;

    /// The token with that digest, if any.
    [[nodiscard]] std::optional<OperatorToken> find(const Digest& digest) const;

    /// Makes sure that `file` holds a valid admin token of user `default`, named `local`: at the first
    /// start, and again when the file was deleted or its token revoked (the token made for it before is
    /// revoked). A database without any token adopts the one in the file. The file gets mode 0600 and
    /// appears complete or not at all. @return whether it was written.
    /// @throws StoreError; std::runtime_error saying how to mend the file, when it is not the daemon's
    ///         own, others can read it, or it holds no token.
    bool ensureLocalToken(const std::string& file);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sallyport::host::auth
