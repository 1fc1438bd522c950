#include "usage_report.h"

#include <charconv>
#include <chrono>

#include <sallyport/errors.h>

namespace sallyport::plugins::llm {

namespace {

constexpr std::int64_t millisecondsOfDay = 86'400'000;

constexpr const char* sums =
    "count(*), sum(CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END), sum(input_tokens), sum(output_tokens),"
    " sum(cache_read_tokens), sum(cache_write_tokens), sum(cost_nano)";

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
    const Condition condition = conditionOf(filter);
    const std::string sql = std::string("SELECT ") + sums + " FROM llm_call" + condition.sql;
    return totalsOf(store_.query(sql, condition.values).at(0), 0);
}

UsagePage UsageReport::page(UsageBy by, const UsageFilter& filter, std::size_t limit,
                            const std::string& cursor) const {
    Cursor from{};
    if (cursor.empty()) {
        from.newest = store_.query("SELECT max(id) FROM llm_call").at(0).integer(0);
        from.before = from.newest + 1;
    } else {
        from = readCursor(cursor);
    }
    Condition condition = conditionOf(filter);
    condition.add("id <= ?", from.newest);
    UsagePage page;
    page.total = totalsOf(
        store_.query(std::string("SELECT ") + sums + " FROM llm_call" + condition.sql, condition.values)
            .at(0),
        0);
    const std::string column = columnOf(by);
    const std::string sql = "SELECT " + column + ", max(id), " + sums + " FROM llm_call" + condition.sql +
                            " GROUP BY " + column + " HAVING max(id) < ? ORDER BY max(id) DESC LIMIT ?";
    condition.values.emplace_back(from.before);
    // One more than asked for tells whether there are more.
    condition.values.emplace_back(static_cast<std::int64_t>(limit) + 1);
    for (const Row& row : store_.query(sql, condition.values)) {
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
