#include "event_log.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <sallyport/job_key.h>

namespace sallyport::plugins {

namespace {

const std::vector<Migration>& migrations() {
    // `size` stands before `data`, so that it is read without the pages that hold large data.
    // There is none by time: events come in its order, and each would pay for it.
    static const std::vector<Migration> steps = {
        {1,
         {"CREATE TABLE events (id {key}, job_id BLOB NOT NULL,"
          " user_id TEXT NOT NULL, event_type TEXT NOT NULL, "
          "created_at BIGINT NOT NULL, size BIGINT NOT NULL,"
          " data TEXT NOT NULL)",
          "CREATE INDEX events_by_job ON events (job_id, id)",
          "CREATE INDEX events_by_user ON events (user_id, id)"}},
        // The greatest number that was deleted: clients may hold it.
        {2, {"CREATE TABLE events_deleted (last BIGINT NOT NULL)", "INSERT INTO events_deleted VALUES (0)"}},
        // How many events a job has up to the one numbered `last`, and their data's bytes.
        {3,
         {"CREATE TABLE events_stored (job_id BLOB NOT NULL PRIMARY KEY, events BIGINT NOT NULL,"
          " bytes BIGINT NOT NULL, last BIGINT NOT NULL)",
          "INSERT INTO events_stored SELECT job_id, COUNT(*), SUM(size), MAX(id) FROM events GROUP BY "
          "job_id"}}};
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

void remove(Transaction& transaction, std::int64_t id) {
    transaction.execute("DELETE FROM events WHERE id = ?", {id});
    transaction.execute("UPDATE events_deleted SET last = ? WHERE last < ?", {id, id});
}

/// The same for an event whose job may go on, and whose totals have it.
void removeAndUncount(Transaction& transaction, std::int64_t id) {
    for (const Row& row : transaction.query("SELECT job_id, size FROM events WHERE id = ?", {id})) {
        transaction.execute(
            "UPDATE events_stored SET events = events - 1, bytes = bytes - ? WHERE job_id = ? AND last >= ?",
            {row.integer(1), row.bytes(0), id});
    }
    remove(transaction, id);
}

std::int64_t stored(Timestamp time) {
    return time.time_since_epoch().count();
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
    columns.emplace_back(stored(createdAt));
    columns.emplace_back(static_cast<std::int64_t>(data.size()));
    columns.emplace_back(std::move(data));
    return columns;
}

std::uint64_t EventLog::insert(Transaction& transaction, const std::vector<SqlValue>& row) {
    return static_cast<std::uint64_t>(transaction.insert(
        "INSERT INTO events (job_id, user_id, event_type, created_at, size, data) VALUES (?, ?, ?, ?, ?, ?)",
        row));
}

std::optional<EventLog::Note> EventLog::note(Transaction& transaction, const JobId& job) {
    const Rows rows =
        transaction.query("SELECT events, bytes, last FROM events_stored WHERE job_id = ?", {jobKey(job)});
    return rows.empty() ? std::nullopt
                        : std::optional(Note{{rows[0].integer(0), rows[0].integer(1)}, rows[0].integer(2)});
}

StoredTotals EventLog::totals(Transaction& transaction, const JobId& job, std::uint64_t last) {
    const Note noted = note(transaction, job).value_or(Note());
    const Row further =
        transaction
            .query("SELECT COUNT(*), SUM(size) FROM events WHERE job_id = ? AND id > ? AND id <= ?",
                   {jobKey(job), noted.last, static_cast<std::int64_t>(last)})
            .at(0);
    const std::int64_t events = noted.totals.events + further.integer(0);
    return {events, noted.totals.bytes + further.integer(1) + events * eventOverhead};
}

void EventLog::noteTotals(Transaction& transaction, const JobId& job, std::uint64_t last) {
    const StoredTotals now = totals(transaction, job, last);
    const std::int64_t bytes = now.bytes - now.events * eventOverhead;
    const auto number = static_cast<std::int64_t>(last);
    if (transaction.execute("UPDATE events_stored SET events = ?, bytes = ?, last = ? WHERE job_id = ?",
                            {now.events, bytes, number, jobKey(job)}) == 0) {
        transaction.execute("INSERT INTO events_stored (job_id, events, bytes, last) VALUES (?, ?, ?, ?)",
                            {jobKey(job), now.events, bytes, number});
    }
}

std::uint64_t EventLog::last() const {
    const Rows rows = store_.query(
        "SELECT MAX(number) FROM (SELECT MAX(id) AS number FROM events"
        " UNION ALL SELECT last AS number FROM events_deleted) AS numbers");
    return static_cast<std::uint64_t>(rows.at(0).integer(0));
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

std::optional<JobId> EventLog::jobAfter(const std::optional<JobId>& job) {
    const Bytes after = job ? jobKey(*job) : Bytes();
    const Row first = store_
                          .query(
                              "SELECT MIN(job_id) FROM (SELECT MIN(job_id) AS job_id FROM events WHERE "
                              "job_id > ? UNION ALL SELECT MIN(job_id) AS job_id FROM events_stored WHERE "
                              "job_id > ?) AS jobs",
                              {after, after})
                          .at(0);
    return first.isNull(0) ? std::nullopt : std::optional(jobOfKey(first.bytes(0)));
}

bool EventLog::removeJob(const JobId& job, Sweep& sweep) {
    const bool done = sweep.run(
        [&](std::size_t most) {
            return Sweep::keysIn(store_.query("SELECT id FROM events WHERE job_id = ? ORDER BY id LIMIT ?",
                                              {jobKey(job), static_cast<std::int64_t>(most)}));
        },
        remove);
    if (done) {
        store_.write([&](Transaction& transaction) {
            transaction.execute("DELETE FROM events_stored WHERE job_id = ?", {jobKey(job)});
        });
    }
    return done;
}

bool EventLog::removeBefore(Timestamp time, Sweep& sweep) {
    const std::int64_t last = lastBefore(time);
    return sweep.run(
        [&](std::size_t most) {
            return Sweep::keysIn(
                store_.query("SELECT id FROM events WHERE id <= ? AND created_at < ? ORDER BY id LIMIT ?",
                             {last, stored(time), static_cast<std::int64_t>(most)}));
        },
        removeAndUncount);
}

/// The number of an event from before that time whose successor, if it has one, is not: a search by halves,
/// which holds that numbers and times rise together. Where the clock was set meanwhile it finds one of
/// several such, and later, when more events are there, another.
std::int64_t EventLog::lastBefore(Timestamp time) const {
    std::int64_t before = 0;
    std::int64_t after = static_cast<std::int64_t>(last()) + 1;
    while (after - before > 1) {
        const std::int64_t middle = before + (after - before) / 2;
        const Rows rows =
            store_.query("SELECT id, created_at FROM events WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
                         {middle, after});
        if (!rows.empty() && rows.front().integer(1) < stored(time)) {
            before = rows.front().integer(0);
        } else {
            after = middle;
        }
    }
    return before;
}

}  // namespace sallyport::plugins
