#include "job_request.h"

#include <algorithm>
#include <utility>

#include <sallyport/errors.h>
#include <sallyport/permission.h>
#include <sallyport/user_id.h>

namespace sallyport::plugins {

namespace {

constexpr std::size_t maxTask = std::size_t{1024} * 1024;           // bytes
constexpr std::size_t maxTitle = 500;                               // characters
constexpr std::size_t maxProjectDir = 4096;                         // bytes
constexpr std::size_t maxStatusMessage = std::size_t{64} * 1024;    // bytes
constexpr std::size_t maxResultMessage = std::size_t{1024} * 1024;  // bytes
constexpr std::size_t maxReason = 2000;                             // bytes
constexpr std::string_view restartMark = "\n\n[Restart] ";

bool isContinuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return !isContinuation(c); }));
}

bool hasControl(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string readTask(const json::Object& body) {
    std::string task = body.string("task");
    if (task.find_first_not_of(" \t\r\n") == std::string::npos) {
        throw invalidField("task", "must not be empty");
    }
    if (task.size() > maxTask) {
        throw invalidField("task", "must have at most " + std::to_string(maxTask) + " bytes");
    }
    return task;
}

std::optional<std::string> readTitle(const json::Object& body) {
    auto title = body.optionalString("title");
    if (title && (title->empty() || characters(*title) > maxTitle)) {
        throw invalidField("title", "must have 1 to " + std::to_string(maxTitle) + " characters");
    }
    if (title && hasControl(*title)) {
        throw invalidField("title", "must not contain control characters");
    }
    return title;
}

std::string readUser(const json::Object& body, const Caller& caller) {
    auto user = userIn(body);
    if (!user) {
        return ownerByDefault(caller);
    }
    if (!caller.mayAccess(*user)) {
        throw lacksPermission(permission::usersAll, "creating jobs for another user");
    }
    return *std::move(user);
}

std::optional<std::string> readProjectDir(const json::Object& body) {
    auto directory = body.optionalString("project_dir");
    if (directory && (directory->empty() || directory->size() > maxProjectDir || hasControl(*directory))) {
        throw invalidField("project_dir",
                           "must be a path of at most " + std::to_string(maxProjectDir) + " bytes");
    }
    return directory;
}

JobMode readMode(const json::Object& body) {
    const auto text = body.optionalString("mode");
    const auto mode = text ? jobMode(*text) : JobMode::worker;
    if (!mode) {
        throw invalidField("mode", "must be 'worker', 'claude_code' or 'acp'");
    }
    return *mode;
}

std::optional<std::string> cutMessage(std::optional<std::string> message, std::size_t bytes) {
    return message ? std::optional(cutAt(*std::move(message), bytes)) : std::nullopt;
}

/// Why a job did not get done, for whoever does it again.
std::string reasonOf(const Job& old) {
    std::string reason = "An earlier run of this job ";
    switch (old.state) {
        case JobState::failed:
            reason += "failed";
            break;
        case JobState::cancelled:
            reason += "was cancelled";
            break;
        default:
            reason += "was interrupted";
    }
    if (old.result && old.result->message && !old.result->message->empty()) {
        return reason + ": " + cutAt(*old.result->message, maxReason);
    }
    return reason + (old.state == JobState::failed ? " and did not say why." : ".");
}

}  // namespace

NewJob readNewJob(const json::Object& body, const Caller& caller) {
    NewJob job;
    job.task = readTask(body);
    job.title = readTitle(body);
    job.user = readUser(body, caller);
    job.projectDir = readProjectDir(body);
    job.mode = readMode(body);
    return job;
}

StatusReport readStatusReport(const json::Object& body) {
    StatusReport report;
    static_cast<void>(body.string("state"));
    report.message = cutMessage(body.optionalString("message"), maxStatusMessage);
    report.iteration = body.unsigned32("iteration");
    return report;
}

JobResult readCompletion(const json::Object& body) {
    JobResult result;
    result.success = body.boolean("success");
    result.message = cutMessage(body.optionalString("message"), maxResultMessage);
    result.iterations = body.unsigned32("iterations");
    return result;
}

JobResult readVerdict(const json::Object& body, const Job& job) {
    JobResult result;
    result.success = body.boolean("success");
    result.message = body.optionalString("message");
    if (result.message && result.message->size() > maxResultMessage) {
        throw invalidField("message", "must have at most " + std::to_string(maxResultMessage) + " bytes");
    }
    result.iterations = job.iteration;
    return result;
}

NewJob restartOf(const Job& old) {
    NewJob job;
    job.user = old.user;
    job.task = old.task;
    if (old.restartOf) {
        // What the last restart said of the run before is out of date, and must not pile up.
        job.task.erase(std::min(job.task.rfind(restartMark), job.task.size()));
    }
    job.task.append(restartMark).append(reasonOf(old));
    if (old.title != "Job " + old.id.str()) {
        job.title = old.title;
    }
    job.projectDir = old.projectDir;
    job.mode = old.mode;
    job.restartOf = old.id;
    return job;
}

std::string cutAt(std::string text, std::size_t bytes) {
    if (text.size() > bytes) {
        while (bytes > 0 && isContinuation(text[bytes])) {
            --bytes;
        }
        text.resize(bytes);
    }
    return text;
}

}  // namespace sallyport::plugins
