#include "host/cli/job_reference.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "host/cli/client_names.h"

namespace sallyport::host::cli {

namespace {

constexpr std::size_t shortest = 6;
constexpr int pages = 10;  ///< of 200 jobs each: an older job is named by its whole id

bool isBeginningOfId(const std::string& text) {
    return text.size() >= shortest && text.size() < 36 && std::all_of(text.begin(), text.end(), [](char c) {
               return std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == '-';
           });
}

std::string lowerCase(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

Answer page(const Client& client, const std::string& cursor, bool anyUser) {
    Target target("/api/jobs");
    target.query("limit", "200");
    if (anyUser) {
        target.query("user_id", "*");
    }
    if (!cursor.empty()) {
        target.query("cursor", cursor);
    }
    return client.get(target);
}

class Lookup {
public:
    Lookup(const Client& client, std::string beginning) : client_(client), beginning_(std::move(beginning)) {}

    JobId run() {
        Answer answer = firstPage();
        for (int read = 1;; ++read) {
            look(answer);
            const std::string cursor = textOf(answer.object(), "next_cursor");
            if (cursor.empty() || read == pages) {
                break;
            }
            answer = page(client_, cursor, anyUser_);
        }
        if (!found_) {
            throw UsageError("no job begins with '" + beginning_ + "'",
                             {"sallyport job list --all shows what there is."});
        }
        return *found_;
    }

private:
    /// Everybody's jobs if the caller is an admin, else the caller's own.
    Answer firstPage() {
        try {
            return page(client_, {}, anyUser_);
        } catch (const Refused& refusal) {
            if (refusal.status() != 403) {
                throw;
            }
        }
        anyUser_ = false;
        return page(client_, {}, anyUser_);
    }

    void look(const Answer& answer) {
        for (const json::Value& job : elementsOf(answer.object(), "jobs")) {
            const std::optional<JobId> id = JobId::parse(textOf(job.object(), "job_id"));
            if (!id || !id->str().starts_with(beginning_)) {
                continue;
            }
            if (found_ && *found_ != *id) {
                throw UsageError("more than one job begins with '" + beginning_ + "'",
                                 {found_->str() + " and " + id->str() + " do."});
            }
            found_ = id;
        }
    }

    const Client& client_;
    std::string beginning_;
    bool anyUser_ = true;
    std::optional<JobId> found_;
};

}  // namespace

JobId resolveJob(const Client& client, const std::string& text) {
    if (const std::optional<JobId> id = JobId::parse(text)) {
        return *id;
    }
    if (!isBeginningOfId(text)) {
        throw UsageError("'" + text + "' is no job id",
                         {"A job id is a UUID; its first six or more characters do, too."});
    }
    return Lookup(client, lowerCase(text)).run();
}

}  // namespace sallyport::host::cli
