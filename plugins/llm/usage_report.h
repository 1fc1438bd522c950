// Sums over the tables of calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/job_id.h>
#include <sallyport/store.h>
#include <sallyport/timestamp.h>
#include <sallyport/usage.h>

namespace sallyport::plugins::llm {

/// What calls are put together by.
enum class UsageBy { job, user, model, day };

/// `job`, `user`, `model` or `day`.
[[nodiscard]] std::optional<UsageBy> usageBy(std::string_view word);

/// Which calls are meant. Of those whose records were deleted the day is left, and counts as its beginning.
struct UsageFilter {
    std::optional<std::string> user{};
    std::optional<JobId> job{};
    std::optional<Timestamp> since{};  ///< begun then or later
    std::optional<Timestamp> until{};  ///< begun before
};

struct UsageGroup {
    /// A job's id, or nothing for all that were deleted; a user, a model or a day in UTC, `2026-01-31`.
    std::string key;
    UsageTotals totals;
};

struct UsagePage {
    UsageTotals total;  ///< of all groups, not only of this page
    std::vector<UsageGroup> groups;
    std::string nextCursor;  ///< empty on the last page
};

/// Reads what CallLog stored and OldCalls summed up. [any thread; blocks on the database]
class UsageReport {
public:
    explicit UsageReport(Store& store) : store_(store) {}

    /// @throws StoreError
    [[nodiscard]] UsageTotals total(const UsageFilter& filter) const;

    /// Groups, the one with the latest call first. All pages are about the calls that were stored when the
    /// first was read.
    /// @param cursor from the page before; empty for the first.
    /// @throws RequestError 400 for a cursor that was not given here, StoreError
    [[nodiscard]] UsagePage page(UsageBy by, const UsageFilter& filter, std::size_t limit,
                                 const std::string& cursor) const;

private:
    [[nodiscard]] UsageTotals totalUpTo(std::int64_t newest, const UsageFilter& filter) const;
    [[nodiscard]] std::int64_t newest() const;

    Store& store_;
};

}  // namespace sallyport::plugins::llm
