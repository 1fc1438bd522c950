#include "event_log.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <sallyport/job_key.h>

namespace sallyport::plugins {

namespace {

const std::vector<Migration>& migrations() {
    // `size` stands before `data`, so that it is read without the pages that hold large data.
    static const std::vector<Migration> steps = {{1,
                                                  {"CREATE TABLE events (id {key}, job_id BLOB NOT NULL,"
                                                   " user_id TEXT NOT NULL, event_type TEXT NOT NULL, "
                                                   "created_at BIGINT NOT NULL, size BIGINT NOT NULL,"
                                                   " data TEXT NOT NULL)",
                                                   "CREATE INDEX events_by_job ON events (job_id, id)",
                                                   "CREATE INDEX events_by_user ON events (user_id, id)"}}};
    return steps;
}

/// Which rows are in a range, lowest number first. A job has one owner, so that naming it is enough.
std::string conditionOf(const EventRange& range) {
    return std::string(" WHERE ") + (range.job ? "job_id" : "user_id") + " = ? AND id > ? ";
}

std::vector<SqlValue> valuesOf(const EventRange& range) {
    return {range.job ? SqlValue(jobKey(*range.job)) : SqlValue(range.user),
            static_cast<std::int64_t>(range.after)};
}

/// How many of the rows are within the range's limits; at least one, if there are any.
std::size_t howManyFit(const Rows& idsAndSizes, const EventRange& range) {
    std::size_t bytes = 0;
    std::size_t count = 0;
    while (count < std::min(idsAndSizes.size(), range.limit)) {
        bytes += static_cast<std::size_t>(idsAndSizes[count].integer(1));
        if (bytes > range.bytes && count > 0) {
            break;
        }
        ++count;
    }
    return count;
}

}  // namespace

EventLog::EventLog(Store& store) : store_(store) {
    store_.migrate("events", migrations());
}

std::vector<SqlValue> EventLog::row(const JobId& job, std::string user, std::string type, std::string data,
                                    Timestamp createdAt) {
    std::vector<SqlValue> columns;
    columns.reserve(6);
    columns.emplace_back(jobKey(job));
    columns.emplace_back(std::move(user));
    columns.emplace_back(std::move(type));
    columns.emplace_back(std::int64_t{createdAt.time_since_epoch().count()});
    columns.emplace_back(static_cast<std::int64_t>(data.size()));
    columns.emplace_back(std::move(data));
    return columns;
}

std::uint64_t EventLog::insert(Transaction& transaction, const std::vector<SqlValue>& row) {
    return static_cast<std::uint64_t>(transaction.insert(
        "INSERT INTO events (job_id, user_id, event_type, created_at, size, data) VALUES (?, ?, ?, ?, ?, ?)",
        row));
}

std::uint64_t EventLog::last() const {
    return static_cast<std::uint64_t>(store_.query("SELECT MAX(id) FROM events").at(0).integer(0));
}

EventPage EventLog::read(const EventRange& range) const {
    const std::string condition = conditionOf(range);
    std::vector<SqlValue> values = valuesOf(range);
    // One more than asked for tells whether there are further ones.
    values.emplace_back(static_cast<std::int64_t>(range.limit) + 1);
    const Rows found =
        store_.query("SELECT id, size FROM events" + condition + "ORDER BY id LIMIT ?", values);
    const std::size_t count = howManyFit(found, range);
    EventPage page;
    page.more = count < found.size();
    if (count == 0) {
        return page;
    }
    values.back() = found[count - 1].integer(0);
    page.events.reserve(count);
    for (const Row& row : store_.query("SELECT id, job_id, event_type, data, created_at FROM events" +
                                           condition + "AND id <= ? ORDER BY id",
                                       values)) {
        page.events.push_back({static_cast<std::uint64_t>(row.integer(0)), jobOfKey(row.bytes(1)),
                               row.text(2), row.text(3),
                               Timestamp(std::chrono::milliseconds(row.integer(4)))});
    }
    return page;
}

}  // namespace sallyport::plugins
