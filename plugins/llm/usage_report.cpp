#include "usage_report.h"

#include <charconv>
#include <chrono>
#include <limits>
#include <utility>

#include <sallyport/errors.h>

namespace sallyport::plugins::llm {

namespace {

constexpr std::int64_t millisecondsOfDay = 86'400'000;

constexpr const char* sumsOfRecords =
    "max(id) AS last_call, count(*) AS requests,"
    " sum(CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END) AS failed, sum(input_tokens) AS input_tokens,"
    " sum(output_tokens) AS output_tokens, sum(cache_read_tokens) AS cache_read_tokens,"
    " sum(cache_write_tokens) AS cache_write_tokens, sum(cost_nano) AS cost_nano";

/// What is left of records that were deleted has the same columns.
constexpr const char* columnsOfUsage =
    "last_call, requests, failed, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,"
    " cost_nano";

constexpr const char* sums =
    "sum(requests), sum(failed), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens),"
    " sum(cache_write_tokens), sum(cost_nano)";

UsageTotals totalsOf(const Row& row, std::size_t column) {
    return {.requests = row.integer(column),
            .failed = row.integer(column + 1),
            .inputTokens = row.integer(column + 2),
            .outputTokens = row.integer(column + 3),
            .cacheReadTokens = row.integer(column + 4),
            .cacheWriteTokens = row.integer(column + 5),
            .costNano = row.integer(column + 6)};
}

const char* columnOf(UsageBy by) {
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
    return "at / 86400000";
}

std::string keyOf(UsageBy by, const Row& row) {
    if (by != UsageBy::day) {
        return row.text(0);
    }
    return rfc3339(Timestamp(std::chrono::milliseconds(row.integer(0) * millisecondsOfDay))).substr(0, 10);
}

/// A condition and its values, put together piece by piece.
struct Condition {
    std::string sql;
    std::vector<SqlValue> values;

    void add(const char* piece, SqlValue value) {
        sql += sql.empty() ? " WHERE " : " AND ";
        sql += piece;
        values.push_back(std::move(value));
    }
};

Condition conditionOf(const UsageFilter& filter) {
    Condition condition;
    if (filter.job) {
        condition.add("job_id = ?", filter.job->str());
    }
    if (filter.user) {
        condition.add("user_id = ?", *filter.user);
    }
    if (filter.since) {
        condition.add("at >= ?", std::int64_t{filter.since->time_since_epoch().count()});
    }
    if (filter.until) {
        condition.add("at < ?", std::int64_t{filter.until->time_since_epoch().count()});
    }
    return condition;
}

/// A table to select from, and its values.
struct Source {
    std::string sql;
    std::vector<SqlValue> values;
};

/// The calls that are meant, whether their records are there or only what is left of them, put together by
/// `key`. Of the records those up to `newest`; what is left of others is from before.
Source sourceOf(const UsageFilter& filter, std::int64_t newest, const std::string& key) {
    Condition records = conditionOf(filter);
    // The + has the table searched by user, job or time, and not by number.
    records.add("+id <= ?", newest);
    Condition usage = conditionOf(filter);
    Source source{"(SELECT " + key + " AS name, " + sumsOfRecords + " FROM llm_call" + records.sql +
                      " GROUP BY name UNION ALL SELECT " + key + " AS name, " + columnsOfUsage +
                      " FROM llm_usage" + usage.sql + ") AS calls",
                  std::move(records.values)};
    source.values.insert(source.values.end(), usage.values.begin(), usage.values.end());
    return source;
}

/// Where a page begins: after the group whose last call is `before`, of the calls up to `newest`.
struct Cursor {
    std::int64_t newest;
    std::int64_t before;

    [[nodiscard]] std::string text() const { return std::to_string(newest) + '-' + std::to_string(before); }
};

/// @return what follows the number; null if there is none above 0.
const char* readNumber(const char* begin, const char* end, std::int64_t& number) {
    const auto [stop, problem] = std::from_chars(begin, end, number);
    return problem == std::errc() && number > 0 ? stop : nullptr;
}

Cursor readCursor(const std::string& text) {
    Cursor cursor{};
    const char* const end = text.data() + text.size();
    const char* const dash = readNumber(text.data(), end, cursor.newest);
    if (dash == nullptr || dash == end || *dash != '-' || readNumber(dash + 1, end, cursor.before) != end) {
        throw badRequest("the cursor is not one that this list gave");
    }
    return cursor;
}

}  // namespace

std::optional<UsageBy> usageBy(std::string_view word) {
    struct Word {
        std::string_view word;
        UsageBy by;
    };
    for (const Word& known : {Word{"job", UsageBy::job}, Word{"user", UsageBy::user},
                              Word{"model", UsageBy::model}, Word{"day", UsageBy::day}}) {
        if (known.word == word) {
            return known.by;
        }
    }
    return std::nullopt;
}

UsageTotals UsageReport::total(const UsageFilter& filter) const {
    return totalUpTo(std::numeric_limits<std::int64_t>::max(), filter);
}

UsageTotals UsageReport::totalUpTo(std::int64_t newest, const UsageFilter& filter) const {
    const Source source = sourceOf(filter, newest, "0");
    return totalsOf(store_.query(std::string("SELECT ") + sums + " FROM " + source.sql, source.values).at(0),
                    0);
}

/// The number of the last call, whether its record is there or not.
std::int64_t UsageReport::newest() const {
    return store_
        .query(
            "SELECT max(last) FROM (SELECT max(id) AS last FROM llm_call"
            " UNION ALL SELECT max(last_call) AS last FROM llm_usage) AS calls")
        .at(0)
        .integer(0);
}

UsagePage UsageReport::page(UsageBy by, const UsageFilter& filter, std::size_t limit,
                            const std::string& cursor) const {
    Cursor from{};
    if (cursor.empty()) {
        from.newest = newest();
        from.before = from.newest + 1;
    } else {
        from = readCursor(cursor);
    }
    UsagePage page;
    page.total = totalUpTo(from.newest, filter);
    Source source = sourceOf(filter, from.newest, columnOf(by));
    source.values.emplace_back(from.before);
    // One more than asked for tells whether there are more.
    source.values.emplace_back(static_cast<std::int64_t>(limit) + 1);
    for (const Row& row :
         store_.query(std::string("SELECT name, max(last_call), ") + sums + " FROM " + source.sql +
                          " GROUP BY name HAVING max(last_call) < ? ORDER BY max(last_call) DESC LIMIT ?",
                      source.values)) {
        if (page.groups.size() == limit) {
            page.nextCursor = from.text();
            break;
        }
        page.groups.push_back({keyOf(by, row), totalsOf(row, 2)});
        from.before = row.integer(1);
    }
    return page;
}

}  // namespace sallyport::plugins::llm
