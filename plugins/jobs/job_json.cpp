#include "job_json.h"

#include <Poco/JSON/Array.h>

#include <sallyport/json_writer.h>

namespace sallyport::plugins {

namespace {

using Poco::Dynamic::Var;

Var textOrNull(const std::optional<std::string>& text) {
    return text ? Var(*text) : Var();
}

Var timeOrNull(const std::optional<Timestamp>& time) {
    return time ? Var(rfc3339(*time)) : Var();
}

Var resultJson(const std::optional<JobResult>& result) {
    if (!result) {
        return {};
    }
    auto json = orderedObject();
    json->set("success", result->success);
    json->set("message", textOrNull(result->message));
    json->set("iterations", result->iterations);
    return json;
}

Var grantsJson(const std::vector<Grant>& grants) {
    Poco::JSON::Array::Ptr list = new Poco::JSON::Array;
    for (const Grant& grant : grants) {
        auto json = orderedObject();
        json->set("secret_name", grant.secretName);
        json->set("env_var", grant.envVar);
        list->add(json);
    }
    return list;
}

}  // namespace

Poco::JSON::Object::Ptr orderedObject() {
    return new Poco::JSON::Object(Poco::JSON_PRESERVE_KEY_ORDER);
}

Poco::JSON::Object::Ptr jobJson(const Job& job, const std::vector<Grant>& grants) {
    auto json = orderedObject();
    json->set("job_id", job.id.str());
    json->set("title", job.title);
    json->set("task", job.task);
    json->set("user_id", job.user);
    json->set("state", std::string(name(job.state)));
    json->set("mode", std::string(name(job.mode)));
    json->set("project_dir", textOrNull(job.projectDir));
    json->set("created_at", rfc3339(job.createdAt));
    json->set("started_at", timeOrNull(job.startedAt));
    json->set("finished_at", timeOrNull(job.finishedAt));
    json->set("status_message", textOrNull(job.statusMessage));
    json->set("iteration", job.iteration);
    json->set("restart_of", job.restartOf ? Var(job.restartOf->str()) : Var());
    json->set("result", resultJson(job.result));
    json->set("credentials", grantsJson(grants));
    return json;
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

Poco::JSON::Object::Ptr usageJson(const UsageTotals& totals) {
    auto json = orderedObject();
    addTotals(*json, totals);
    return json;
}

}  // namespace sallyport::plugins
