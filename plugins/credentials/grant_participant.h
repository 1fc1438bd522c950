// Grants that a job has from its first moment.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sallyport/ext/job_lifecycle.h>

#include "audit_log.h"
#include "grant_service.h"

namespace sallyport::plugins {

/// Takes care of the member `credentials` of new jobs. A job that repeats another has the grants of that one.
/// [any thread]
class GrantParticipant final : public JobParticipant {
public:
    static constexpr const char* member = "credentials";

    /// Both outlive it.
    GrantParticipant(GrantService& service, AuditLog& audit) : service_(service), audit_(audit) {}

    [[nodiscard]] std::unique_ptr<JobPart> prepare(const JobDraft& draft) override;
    [[nodiscard]] std::optional<std::string> shown(const Job& job, std::string_view name) override;

private:
    class Part;

    [[nodiscard]] std::vector<Grant> wanted(const JobDraft& draft) const;

    GrantService& service_;
    AuditLog& audit_;
};

}  // namespace sallyport::plugins
