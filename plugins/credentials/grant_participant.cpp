#include "grant_participant.h"

#include <utility>
#include <vector>

namespace sallyport::plugins {

/// The grants of one new job, checked.
class GrantParticipant::Part final : public JobPart {
public:
    Part(GrantService& service, AuditLog& audit, std::vector<Grant> grants, const Call& asked)
        : service_(service), audit_(audit), grants_(std::move(grants)), asked_(asked) {}

    /// A secret that was deleted meanwhile keeps the job from being made.
    void store(Transaction& transaction, const Job& job) override {
        AuditLog::Entries entries;
        denial_ = service_.replace(transaction, entries, job.id, job.user, grants_, asked_);
        if (denial_) {
            throw denial_->error();
        }
        head_ = AuditLog::append(transaction, entries);
    }
    void stored() override { audit_.note(head_); }
    void abandoned() override {
        if (denial_) {
            audit_.write(denial_->entry);
        }
    }

private:
    GrantService& service_;
    AuditLog& audit_;
    const std::vector<Grant> grants_;
    const Call& asked_;
    std::optional<GrantService::Denial> denial_;
    AuditHead head_;
};

std::unique_ptr<JobPart> GrantParticipant::prepare(const JobDraft& draft) {
    const std::vector<Grant> grants = wanted(draft);
    if (grants.empty()) {
        return nullptr;
    }
    const Call& asked = draft.asked();
    return std::make_unique<Part>(service_, audit_, service_.check(draft.job().user, grants, asked), asked);
}

std::vector<Grant> GrantParticipant::wanted(const JobDraft& draft) const {
    if (const auto text = draft.member(member)) {
        return readGrants(json::Value::parse(*text, draft.asked().jsonLimits()));
    }
    const auto& last = draft.job().restartOf;
    return last ? service_.list(*last) : std::vector<Grant>();
}

std::optional<std::string> GrantParticipant::shown(const Job& job, std::string_view /*name*/) {
    return grantsJson(service_.list(job.id));
}

}  // namespace sallyport::plugins
