// Which secrets a job's worker may have: the service that a plugin for credentials provides.
#pragma once

#include <string>
#include <vector>

#include <sallyport/call.h>
#include <sallyport/job_id.h>

namespace sallyport {

/// A secret of the job's owner, and the environment variable its worker shall find it in. Names only:
/// no secret's value is ever in here.
struct Grant {
    std::string secretName;  ///< one of the owner's secrets
    std::string envVar;      ///< the variable of the worker's environment
};

/// The member `credentials` of a request's body, `[{secret_name, env_var}]`; none when it is left out. The
/// names are not looked at. @throws RequestError 422
[[nodiscard]] std::vector<Grant> readGrants(const json::Object& body);

/// The grants of all jobs. A grant is audited under the name of the operator who asked for it, so that a
/// call is needed to make one. [any thread; may block on the database]
class Grants {
public:
    /// For Host::provide and Host::find.
    static constexpr const char* serviceName = "grants";

    virtual ~Grants() = default;

    /// Looks whether `user` may give these grants to a job of its own, before there is a job.
    /// @throws RequestError 422 naming the grant that cannot be made.
    virtual void check(const std::string& user, const std::vector<Grant>& grants, const Call& asked) = 0;

    /// Replaces the grants of a job, all or none, and returns when that is durable.
    /// @throws RequestError as `check` does, StoreError
    virtual void set(const JobId& job, const std::string& user, const std::vector<Grant>& grants,
                     const Call& asked) = 0;

    /// What was granted to a job, also when it is over and the grants are of no use any more, so that
    /// a restart can ask for the same.
    /// @throws StoreError
    [[nodiscard]] virtual std::vector<Grant> list(const JobId& job) = 0;
};

}  // namespace sallyport
