// Events: what workers report, kept and shown live.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <sallyport/ext/metrics.h>
#include <sallyport/job_terms.h>
#include <sallyport/plugin.h>
#include <sallyport/retention.h>

#include "event_log.h"
#include "stored_counts.h"

namespace sallyport::plugins {

inline constexpr Setting eventsSettings[] = {
    {"max_size", SettingKind::size, "32MiB", "Largest data of one event; a larger one is refused with 413",
     1},
    {"keep", SettingKind::duration, "0",
     "An event so old is deleted, also one of a job that still runs; 0: when its job is (jobs.keep)", 0,
     std::int64_t{36'500} * 24 * 60 * 60 * 1000},
};

/// Takes events from workers (`POST /event`), and shows them to operators as history
/// (`GET /jobs/{job_id}/events`) and live (`GET /events`).
class EventsPlugin final : public Plugin {
public:
    EventsPlugin();
    ~EventsPlugin() override;

    void start(Host& host) override;

private:
    struct Posted;
    class CountedRows;

    Reply post(const Call& call);
    Reply store(const std::shared_ptr<Posted>& event);
    void insert(Transaction& transaction, Posted& event);
    Reply history(const Call& call);
    Reply follow(const Call& call);

    void publish(Posted& event);
    [[nodiscard]] std::string ownerOf(const JobId& job, const Caller& caller);
    [[nodiscard]] std::string userToFollow(const Call& call, const std::optional<JobId>& job);

    Host* host_ = nullptr;
    std::shared_ptr<JobTermsService> terms_;
    Counter* stored_ = nullptr;
    Counter* storedBytes_ = nullptr;
    MetricFamily<Counter>* refused_ = nullptr;
    std::optional<EventLog> log_;
    StoredCounts counts_;
    std::atomic<std::uint64_t> countedFrom_{0};  ///< what has a greater number is in `counts_`
    std::unique_ptr<KeptRows> rows_;
    std::optional<Retention> retention_;
    std::size_t maxSize_ = 0;
};

}  // namespace sallyport::plugins
