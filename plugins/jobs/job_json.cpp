#include "job_json.h"

#include <optional>

#include <sallyport/timestamp.h>

#include "job_limits.h"

namespace sallyport::plugins {

namespace {

std::optional<std::string> timeText(const std::optional<Timestamp>& time) {
    return time ? std::optional(rfc3339(*time)) : std::nullopt;
}

void writeResult(json::Writer& json, const std::optional<JobResult>& result) {
    if (!result) {
        json.null();
        return;
    }
    json.beginObject()
        .member("success", result->success)
        .member("message", result->message)
        .member("iterations", result->iterations)
        .endObject();
}

}  // namespace

void addJob(json::Writer& json, const Job& job) {
    json.member("job_id", job.id.str())
        .member("title", job.title)
        .member("task", job.task)
        .member("user_id", job.user)
        .member("state", name(job.state))
        .member("mode", name(job.mode))
        .member("project_dir", job.projectDir)
        .member("created_at", rfc3339(job.createdAt))
        .member("started_at", timeText(job.startedAt))
        .member("finished_at", timeText(job.finishedAt))
        .member("status_message", job.statusMessage)
        .member("iteration", job.iteration)
        .member("restart_of", job.restartOf ? std::optional(job.restartOf->str()) : std::nullopt)
        .key("result");
    writeResult(json, job.result);
}

void addMembers(json::Writer& json, const std::vector<std::pair<std::string, std::string>>& members) {
    for (const auto& [name, value] : members) {
        json.rawMember(name, value);
    }
}

void addTerms(json::Writer& json, const Job& job, const JobTerms& terms, const JobLimits& defaults) {
    if (terms.timeout) {
        json.member("timeout", terms.timeout->count());
        json.member("deadline", rfc3339(job.createdAt + *terms.timeout));
    } else {
        json.key("timeout").null().key("deadline").null();
    }
    json.key("limits");
    writeLimits(json, terms.limits, defaults);
}

void writeLimits(json::Writer& json, const JobLimits& own, const JobLimits& defaults) {
    json.beginObject();
    for (const auto& [name, limit] : limitNames) {
        json.member(name, (own.*limit ? own.*limit : defaults.*limit).value_or(0));
    }
    json.endObject();
}

std::string workerJson(const Job& job) {
    std::string text;
    json::Writer(text)
        .beginObject()
        .member("title", job.title)
        .member("description", job.task)
        .member("project_dir", job.projectDir)
        .endObject();
    return text;
}

}  // namespace sallyport::plugins
