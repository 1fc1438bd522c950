// Who is calling.
#pragma once

#include <string>
#include <string_view>

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

/// What an operator's token is for: a named set of permissions, which only the host knows. A handler asks
/// Caller::may; a test says with it who calls.
enum class Role {
    viewer,   ///< reads what its user owns
    user,     ///< creates and steers jobs of its user as well
    admin,    ///< everything, for any user
    auditor,  ///< reads everything, of any user, and changes nothing
    runner,   ///< runs jobs of any user in sandboxes, and no more
};

/// The word used in answers and on the command line: `viewer`, `user`, `admin`, `auditor` or `runner`.
[[nodiscard]] const char* name(Role role);

/// Permissions, as the host keeps them: a plugin asks this daemon's, whatever it was built with. [any thread]
class PermissionSet {
public:
    /// Whether that permission is among them; see permission.h.
    [[nodiscard]] virtual bool has(std::string_view permission) const noexcept = 0;

protected:
    ~PermissionSet() = default;
};

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

    /// Whether an operator has that permission, one of Sallyport's (permission.h) or of the plugin's own. A
    /// worker has none: what it may do is decided by its job.
    [[nodiscard]] bool may(std::string_view permission) const noexcept {
        return permissions_->has(permission);
    }

    /// Whether it may see what `owner` owns: its own, or anyone's with the permission `users.all`. What it
    /// may not is answered as what is not there.
    [[nodiscard]] bool mayAccess(const std::string& owner) const;

private:
    friend class host::auth::Filter;
    /// @param permissions outlive every caller.
    Caller(Realm realm, std::string user, const JobId& job, const PermissionSet& permissions);
    Caller(Caller&&) = default;

    Realm realm_;
    const PermissionSet* permissions_;
    JobId job_;
    std::string user_;
};

}  // namespace sallyport
