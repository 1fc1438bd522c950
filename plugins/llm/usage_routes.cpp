#include "usage_routes.h"

#include <utility>

#include <sallyport/errors.h>
#include <sallyport/json_writer.h>
#include <sallyport/permission.h>
#include <sallyport/user_id.h>

namespace sallyport::plugins::llm {

namespace {

constexpr std::int64_t maxPage = 200;
constexpr std::int64_t defaultPage = 50;

/// The member that names a group.
const char* memberOf(UsageBy by) {
    switch (by) {
        case UsageBy::job:
            return "job_id";
        case UsageBy::user:
            return "user_id";
        case UsageBy::model:
            return "model";
        case UsageBy::day:
            break;
    }
    return "day";
}

UsageBy readBy(const Call& call) {
    const auto by = usageBy(call.query("by").value_or("job"));
    if (!by) {
        throw badRequest("query parameter 'by' must be job, user, model or day");
    }
    return *by;
}

/// Whose usage is asked for: the caller's own, but everybody's for who acts for all users; `*` says so as
/// elsewhere.
std::optional<std::string> readUser(const Call& call) {
    const auto named = userInQuery(call);
    if (!named) {
        return call.caller().may(permission::usersAll) ? std::nullopt : std::optional(call.caller().user());
    }
    return *named == "*" ? std::nullopt : named;
}

/// A point in time, or the beginning of a day in UTC.
std::optional<Timestamp> readTime(const Call& call, const char* parameter) {
    const auto text = call.query(parameter);
    if (!text) {
        return std::nullopt;
    }
    const auto time = parseRfc3339(text->size() == 10 ? *text + "T00:00:00Z" : *text);
    if (!time) {
        throw badRequest(std::string("query parameter '") + parameter +
                         "' must be a time such as 2026-01-31T12:00:00Z or a day such as 2026-01-31");
    }
    return time;
}

UsageFilter readFilter(const Call& call) {
    UsageFilter filter;
    filter.user = readUser(call);
    filter.since = readTime(call, "since");
    filter.until = readTime(call, "until");
    if (const auto text = call.query("job_id")) {
        filter.job = JobId::parse(*text);
        if (!filter.job) {
            throw badRequest("query parameter 'job_id' is not a UUID");
        }
    }
    return filter;
}

void addPage(json::Writer& json, UsageBy by, const UsagePage& page) {
    addTotals(json.key("total").beginObject(), page.total);
    json.endObject().key("groups").beginArray();
    for (const UsageGroup& group : page.groups) {
        json.beginObject().key(memberOf(by));
        // Of jobs that were deleted nobody can be named.
        group.key.empty() ? json.null() : json.string(group.key);
        addTotals(json, group.totals);
        json.endObject();
    }
    json.endArray();
    if (!page.nextCursor.empty()) {
        json.member("next_cursor", page.nextCursor);
    }
}

/// Sums that hold all that was recorded before they were asked for.
class StoredUsage final : public JobUsage {
public:
    StoredUsage(CallLog& log, const UsageReport& report) : log_(log), report_(report) {}

    [[nodiscard]] UsageTotals of(const JobId& job) override {
        log_.flush();
        return report_.total({.job = job});
    }

private:
    CallLog& log_;
    const UsageReport& report_;
};

}  // namespace

void addUsageRoutes(Routes& routes, CallLog& log, const UsageReport& report) {
    const auto handler = [&log, &report](const Call& call) {
        const UsageBy by = readBy(call);
        const UsageFilter filter = readFilter(call);
        const auto limit = static_cast<std::size_t>(call.queryInteger("limit", 1, maxPage, defaultPage));
        log.flush();
        const UsagePage page = report.page(by, filter, limit, call.query("cursor").value_or(""));
        return Reply::json(200, [&](json::Writer& answer) { addPage(answer, by, page); });
    };
    routes.operators("GET", "/usage", handler, {.permission = permission::usageRead});
}

std::shared_ptr<JobUsage> jobUsage(CallLog& log, const UsageReport& report) {
    return std::make_shared<StoredUsage>(log, report);
}

}  // namespace sallyport::plugins::llm
