#include "host/jobs/schema.h"

#include <iterator>
#include <optional>
#include <sstream>
#include <utility>

#include <sallyport/errors.h>

namespace sallyport::host::jobs {

namespace {

template <class T>
T readable(std::optional<T> value, const char* column, const std::string& text) {
    if (!value) {
        throw StoreError(std::string("column ") + column + " of table jobs holds \"" + text + "\"");
    }
    return *std::move(value);
}

Timestamp timeFrom(std::int64_t milliseconds) {
    return Timestamp(std::chrono::milliseconds(milliseconds));
}

std::optional<Timestamp> optionalTimeFrom(std::optional<std::int64_t> milliseconds) {
    return milliseconds ? std::optional(timeFrom(*milliseconds)) : std::nullopt;
}

/// Reads a row's columns one after the other.
class Columns {
public:
    explicit Columns(const Row& row) : row_(row) {}

    std::string text() { return row_.text(next_++); }
    std::int64_t integer() { return row_.integer(next_++); }
    std::optional<std::string> optionalText() { return row_.optionalText(next_++); }
    std::optional<std::int64_t> optionalInteger() { return row_.optionalInteger(next_++); }

private:
    const Row& row_;
    std::size_t next_ = 0;
};

std::vector<std::string> namesFrom(const std::string& text) {
    std::istringstream words(text);
    return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
}

std::optional<JobResult> resultFrom(Columns& columns) {
    const auto success = columns.optionalInteger();
    JobResult result{.success = success.value_or(0) != 0,
                     .message = columns.optionalText(),
                     .iterations = static_cast<std::uint32_t>(columns.integer())};
    return success ? std::optional(std::move(result)) : std::nullopt;
}

}  // namespace

const std::vector<Migration>& migrations() {
    // `number` is the order of creation, which the wall clock is not: it may be set back.
    static const std::vector<Migration> steps{
        {1,
         {"CREATE TABLE jobs ("
          " number {key},"
          " job_id TEXT NOT NULL UNIQUE,"
          " user_id TEXT NOT NULL,"
          " state TEXT NOT NULL,"
          " token_digest TEXT,"  // NULL once the job is over
          " created_at BIGINT NOT NULL,"
          " started_at BIGINT,"
          " finished_at BIGINT,"
          " mode TEXT NOT NULL,"
          " restart_of TEXT,"
          " iteration BIGINT NOT NULL DEFAULT 0,"
          " success BIGINT,"  // NULL until the job is over
          " result_iterations BIGINT,"
          " title TEXT NOT NULL,"
          " project_dir TEXT,"
          " status_message TEXT,"
          " result_message TEXT,"
          " task TEXT NOT NULL)",
          // One index for each set of filters that jobs are listed and counted by.
          "CREATE INDEX jobs_by_user ON jobs (user_id, number)",
          "CREATE INDEX jobs_by_user_and_state ON jobs (user_id, state, number)",
          "CREATE INDEX jobs_by_state ON jobs (state, number)"}},
        {2, {"CREATE INDEX jobs_by_end ON jobs (finished_at) WHERE finished_at IS NOT NULL"}},
        // NULL: none, and for limits what the configuration says.
        {3,
         {"ALTER TABLE jobs ADD COLUMN timeout BIGINT",  // in seconds
          "ALTER TABLE jobs ADD COLUMN limit_requests BIGINT",
          "ALTER TABLE jobs ADD COLUMN limit_event_bytes_rate BIGINT",
          "ALTER TABLE jobs ADD COLUMN limit_events BIGINT",
          "ALTER TABLE jobs ADD COLUMN limit_event_bytes BIGINT"}},
        // Names of plugins, with spaces between them; NULL: none.
        {4, {"ALTER TABLE jobs ADD COLUMN participants TEXT"}},
    };
    return steps;
}

NumberedJob jobFrom(const Row& row) {
    Columns columns(row);
    Job job;
    job.id = jobIdFrom(columns.text());
    job.user = columns.text();
    job.title = columns.text();
    job.task = columns.text();
    job.projectDir = columns.optionalText();
    const std::string mode = columns.text();
    job.mode = readable(jobMode(mode), "mode", mode);
    job.state = stateFrom(columns.text());
    job.statusMessage = columns.optionalText();
    job.iteration = static_cast<std::uint32_t>(columns.integer());
    job.result = resultFrom(columns);
    if (const auto restartOf = columns.optionalText()) {
        job.restartOf = jobIdFrom(*restartOf);
    }
    job.createdAt = timeFrom(columns.integer());
    job.startedAt = optionalTimeFrom(columns.optionalInteger());
    job.finishedAt = optionalTimeFrom(columns.optionalInteger());
    job.participants = namesFrom(columns.optionalText().value_or(""));
    return {std::move(job), columns.integer()};
}

JobTerms termsFrom(const Row& row, std::size_t first) {
    JobTerms terms;
    if (const auto timeout = row.optionalInteger(first)) {
        terms.timeout = std::chrono::seconds(*timeout);
    }
    terms.limits.requestsPerSecond = row.optionalInteger(first + 1);
    terms.limits.eventBytesPerSecond = row.optionalInteger(first + 2);
    terms.limits.events = row.optionalInteger(first + 3);
    terms.limits.eventBytes = row.optionalInteger(first + 4);
    return terms;
}

std::vector<SqlValue> storedTerms(const JobTerms& terms) {
    const JobLimits& limits = terms.limits;
    return {terms.timeout ? SqlValue(std::int64_t{terms.timeout->count()}) : SqlValue(),
            sqlValue(limits.requestsPerSecond), sqlValue(limits.eventBytesPerSecond), sqlValue(limits.events),
            sqlValue(limits.eventBytes)};
}

SqlValue storedNames(const std::vector<std::string>& plugins) {
    std::string names;
    for (const std::string& plugin : plugins) {
        names.append(names.empty() ? "" : " ").append(plugin);
    }
    return names.empty() ? SqlValue() : SqlValue(names);
}

JobId jobIdFrom(const std::string& text) {
    return readable(JobId::parse(text), "job_id", text);
}

JobState stateFrom(const std::string& text) {
    return readable(jobState(text), "state", text);
}

std::int64_t stored(Timestamp time) {
    return time.time_since_epoch().count();
}

}  // namespace sallyport::host::jobs
