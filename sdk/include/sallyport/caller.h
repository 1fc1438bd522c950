// Who is calling.
#pragma once

#include <string>

#include <sallyport/job_id.h>

namespace sallyport {

namespace host::auth {
class Filter;
}

/// The two doors. A route lives in exactly one.
enum class Realm {
    worker,     ///< untrusted processes in sandboxes, by a job's token; mounted at `/worker/{job_id}`
    operators,  ///< people and their tools, by an operator's token; mounted at `/api`
};

/// What an operator may do. Each role may do what those before it may.
enum class Role {
    viewer,  ///< read what its user owns
    user,    ///< create and steer jobs of its user
    admin,   ///< everything, for any user
};

/// The word used in answers and on the command line: `viewer`, `user` or `admin`.
[[nodiscard]] const char* name(Role role);

/// An authenticated identity, made by the host's filter for one request.
///
/// Only that filter can make one, and nobody can copy one, so a function that takes a
/// `const Caller&` has proof that authentication took place. It is valid during the call; copy out
/// what you need longer. It never carries the token.
class Caller {
public:
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;

    /// The door that it came through.
    [[nodiscard]] Realm realm() const noexcept { return realm_; }

    /// The user it acts for: the owner of the worker's job, or the operator token's user.
    [[nodiscard]] const std::string& user() const noexcept { return user_; }

    /// The worker's job. The nil id for an operator.
    [[nodiscard]] const JobId& job() const noexcept { return job_; }

    /// What an operator may do. A worker is `viewer` and passes no operator route anyway.
    [[nodiscard]] Role role() const noexcept { return role_; }

    /// Whether it may see what `owner` owns: its own, or anyone's for an admin.
    [[nodiscard]] bool mayAccess(const std::string& owner) const;

private:
    friend class host::auth::Filter;
    Caller(Realm realm, std::string user, const JobId& job, Role role);
    Caller(Caller&&) = default;

    Realm realm_;
    Role role_;
    JobId job_;
    std::string user_;
};

}  // namespace sallyport
