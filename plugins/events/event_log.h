// The table of events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/job_id.h>
#include <sallyport/retention.h>
#include <sallyport/store.h>
#include <sallyport/timestamp.h>

#include "stored_counts.h"

namespace sallyport::plugins {

/// An event as a worker sent it.
struct ReportedEvent {
    std::uint64_t id;  ///< grows with every event and is never used again
    JobId job;
    std::string type;
    std::string data;  ///< JSON, byte for byte as it was sent
    Timestamp createdAt;
};

/// Which events to read, lowest number first.
struct EventRange {
    std::string user;          ///< of this user's jobs
    std::optional<JobId> job;  ///< of this one of them, when set
    std::uint64_t after = 0;
    std::size_t limit = 0;  ///< at most so many
    std::size_t bytes = 0;  ///< with at most so much data, unless the first alone has more
};

/// What was read of a range.
struct EventPage {
    std::vector<ReportedEvent> events;
    bool more = false;  ///< whether there were further ones
};

/// Events in the database. [any thread]
class EventLog final : public KeptRows {
public:
    /// Brings the table up to date. @throws StoreError
    explicit EventLog(Store& store);

    /// The columns of a new row, made once and bound as often as the write is tried.
    [[nodiscard]] static std::vector<SqlValue> row(const JobId& job, std::string user, std::string type,
                                                   std::string data, Timestamp createdAt);
    /// Where a row has these.
    static constexpr std::size_t typeColumn = 2;
    static constexpr std::size_t dataColumn = 5;
    /// @return the number of the new event.
    static std::uint64_t insert(Transaction& transaction, const std::vector<SqlValue>& row);

    /// What is stored of a job, up to that number. Few rows are read where its totals were noted not long
    /// before.
    [[nodiscard]] static StoredTotals totals(Transaction& transaction, const JobId& job, std::uint64_t last);
    /// Notes what is stored of a job up to that number.
    static void noteTotals(Transaction& transaction, const JobId& job, std::uint64_t last);

    /// The number of the last event, also when it has been deleted. @throws StoreError
    [[nodiscard]] std::uint64_t last() const;

    /// Reads the first events of a range. However large they are, it takes no more memory than `bytes` says
    /// and one event needs. @throws StoreError
    [[nodiscard]] EventPage read(const EventRange& range) const;

    [[nodiscard]] std::optional<JobId> jobAfter(const std::optional<JobId>& job) override;
    bool removeJob(const JobId& job, Sweep& sweep) override;
    /// An event goes by its own time. Where the clock was set back, some go only with those after them.
    bool removeBefore(Timestamp time, Sweep& sweep) override;

private:
    /// What was noted of a job, and up to which number.
    struct Note {
        StoredTotals totals;
        std::int64_t last = 0;
    };
    [[nodiscard]] static std::optional<Note> note(Transaction& transaction, const JobId& job);

    [[nodiscard]] std::int64_t lastBefore(Timestamp time) const;

    Store& store_;
};

}  // namespace sallyport::plugins
