// Which secrets a job's worker may have: the service that a plugin for credentials provides.
#pragma once

#include <string>
#include <vector>

#include <sallyport/job_id.h>

namespace sallyport {

/// A secret of the job's owner, and the environment variable its worker shall find it in. Names only:
/// no secret's value is ever in here.
struct Grant {
    std::string secretName;
    std::string envVar;
};

/// The grants of all jobs. [any thread; may block on the database]
class Grants {
public:
    static constexpr const char* serviceName = "grants";

    virtual ~Grants() = default;

    /// Looks whether `user` may give these grants to a job of its own, before there is a job.
    /// @throws RequestError 422 naming the grant that cannot be made.
    virtual void check(const std::string& user, const std::vector<Grant>& grants) = 0;

    /// Replaces the grants of a job, all or none, and returns when that is durable.
    /// @throws RequestError as `check` does, StoreError
    virtual void set(const JobId& job, const std::string& user, const std::vector<Grant>& grants) = 0;

    /// What was granted to a job, also when it is over and the grants are of no use any more, so that
    /// a restart can ask for the same.
    /// @throws StoreError
    [[nodiscard]] virtual std::vector<Grant> list(const JobId& job) = 0;
};

}  // namespace sallyport
