// A plugin that gives a job's worker a new token: `POST /api/jobs/{job_id}/handover`. It works where
// `jobs.launchers` names it.
#include <string>
#include <utility>

#include <sallyport/errors.h>
#include <sallyport/ext/job_lifecycle.h>
#include <sallyport/json_writer.h>
#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

class Handover final : public Plugin {
public:
    void start(Host& host) override {
        tokens_ = host.extension<JobTokens>();
        host.routes().operators(
            "POST", "/jobs/{job_id}/handover",
            [this, &jobs = host.jobs()](const Call& call) { return handOver(call, jobs); },
            {.body = Body::none, .secret = true});
    }

    [[nodiscard]] std::optional<std::string> trouble() const override {
        return tokens_ != nullptr ? std::nullopt
                                  : std::optional<std::string>("jobs.launchers does not name it");
    }

private:
    Reply handOver(const Call& call, Jobs& jobs) {
        const JobId job = call.jobId();
        const auto owner = jobs.owner(job);
        if (!owner || !call.caller().mayAccess(*owner)) {
            throw notFound("there is no such job");
        }
        if (tokens_ == nullptr) {
            throw unavailable("not_a_launcher",
                              "the setting jobs.launchers does not name the plugin handover");
        }
        const std::string token = tokens_->renew(job);
        return Reply::json(200, [&token](json::Writer& answer) { answer.member("token", token); });
    }

    JobTokens* tokens_ = nullptr;
};

}  // namespace

SALLYPORT_PLUGIN(Handover, "handover", "1", "New tokens for workers")
