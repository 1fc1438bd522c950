// Jobs whose requests are refused because they crashed the daemon.
#pragma once

#include <sallyport/job_id.h>

namespace sallyport {

/// A service of the host (Host::find). A job is quarantined when two crashes happened in requests of its
/// worker; from then on all of them are refused with 403 until an operator releases the job. [any thread]
class Quarantine {
public:
    static constexpr const char* serviceName = "sallyport.quarantine";  ///< for Host::find

    virtual ~Quarantine() = default;

    /// Whether the job's requests are refused.
    [[nodiscard]] virtual bool holds(const JobId& job) const = 0;
};

}  // namespace sallyport
