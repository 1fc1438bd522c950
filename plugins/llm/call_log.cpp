#include "call_log.h"

#include <utility>

#include <sallyport/error_text.h>
#include <sallyport/errors.h>

namespace sallyport::plugins::llm {

namespace {

/// Rows in one write, so that a long queue does not hold up the writes of others.
constexpr std::size_t maxBatch = 500;

/// Bytes of content in memory that wait to be stored.
constexpr std::size_t maxWaitingContent = 64UL * 1024 * 1024;

constexpr const char* createCalls =
    "CREATE TABLE llm_call (id {key}, at BIGINT NOT NULL, job_id TEXT NOT NULL, user_id TEXT NOT NULL,"
    " provider TEXT NOT NULL, model TEXT NOT NULL, endpoint TEXT NOT NULL, outcome TEXT NOT NULL,"
    " reason TEXT NOT NULL, input_tokens BIGINT NOT NULL, output_tokens BIGINT NOT NULL,"
    " cache_read_tokens BIGINT NOT NULL, cache_write_tokens BIGINT NOT NULL, cost_nano BIGINT NOT NULL,"
    " latency_ms BIGINT NOT NULL, request_id TEXT NOT NULL)";

/// Apart, so that sums need not read past it.
constexpr const char* createContents =
    "CREATE TABLE llm_call_content (call_id BIGINT PRIMARY KEY, request BLOB NOT NULL, answer BLOB NOT NULL)";

/// Calls whose records were deleted, as sums. `at` is the beginning of their day in UTC, `last_call` the last
/// record that went in. Those of deleted jobs have an empty `job_id`.
constexpr const char* createUsage =
    "CREATE TABLE llm_usage (job_id TEXT NOT NULL, at BIGINT NOT NULL, user_id TEXT NOT NULL,"
    " model TEXT NOT NULL, last_call BIGINT NOT NULL, requests BIGINT NOT NULL, failed BIGINT NOT NULL,"
    " input_tokens BIGINT NOT NULL, output_tokens BIGINT NOT NULL, cache_read_tokens BIGINT NOT NULL,"
    " cache_write_tokens BIGINT NOT NULL, cost_nano BIGINT NOT NULL,"
    " PRIMARY KEY (job_id, at, user_id, model))";

const std::vector<Migration>& migrations() {
    static const std::vector<Migration> steps = {
        {1,
         {createCalls, createContents, "CREATE INDEX llm_call_by_job ON llm_call (job_id)",
          "CREATE INDEX llm_call_by_user ON llm_call (user_id, at)",
          "CREATE INDEX llm_call_by_time ON llm_call (at)"}},
        {2, {createUsage}}};
    return steps;
}

std::size_t contentSize(const CallRecord& record) {
    return record.content ? record.content->request.size() + record.content->answer.size() : 0;
}

Bytes bytesOf(const std::string& text) {
    return {text.begin(), text.end()};
}

void insert(Transaction& transaction, const CallRecord& record) {
    const std::int64_t id = transaction.insert(
        "INSERT INTO llm_call (at, job_id, user_id, provider, model, endpoint, outcome, reason, input_tokens,"
        " output_tokens, cache_read_tokens, cache_write_tokens, cost_nano, latency_ms, request_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {std::int64_t{record.at.time_since_epoch().count()}, record.job.str(), record.user, record.provider,
         record.model, record.endpoint, std::string(name(record.outcome)), record.reason, record.usage.input,
         record.usage.output, record.usage.cacheRead, record.usage.cacheWrite, record.costNano,
         std::int64_t{record.latency.count()}, record.requestId});
    if (record.content) {
        transaction.execute("INSERT INTO llm_call_content (call_id, request, answer) VALUES (?, ?, ?)",
                            {id, bytesOf(record.content->request), bytesOf(record.content->answer)});
    }
}

}  // namespace

CallLog::CallLog(Store& store, Logger& log) : store_(store), log_(log) {
    store_.migrate("llm_call", migrations());
}

CallLog::~CallLog() {
    flush();
    if (!waiting_.empty()) {
        log_.error("calls of models could not be recorded", {{"calls", waiting_.size()}});
    }
}

void CallLog::record(CallRecord record) {
    std::shared_ptr<Batch> batch;
    {
        const std::lock_guard lock(mutex_);
        const std::size_t size = contentSize(record);
        if (failing_ || waitingContent_ + size > maxWaitingContent) {
            record.content.reset();
        } else {
            waitingContent_ += size;
        }
        waiting_.push_back(std::move(record));
        ++recorded_;
        dropSurplus();
        batch = takeBatchIfDue();
    }
    submit(batch);
}

void CallLog::delayBy(Later later) {
    const std::lock_guard lock(mutex_);
    later_ = std::move(later);
    scheduled_ = false;
}

void CallLog::flush() {
    std::shared_ptr<Batch> batch;
    {
        const std::lock_guard lock(mutex_);
        wanted_ = recorded_;
        batch = submitting_ ? nullptr : takeBatch();
    }
    submit(batch);
    std::unique_lock lock(mutex_);
    const std::uint64_t target = recorded_;
    changed_.wait(lock, [&] { return handled_ >= target || !submitting_; });
}

std::optional<std::string> CallLog::trouble() const {
    const std::lock_guard lock(mutex_);
    if (!failing_) {
        return std::nullopt;
    }
    return "calls of models cannot be recorded: " + std::to_string(waiting_.size()) + " wait, " +
           std::to_string(lost_) + " are lost";
}

/// What is to be stored now. What may wait for more is stored later, together with that.
std::shared_ptr<CallLog::Batch> CallLog::takeBatchIfDue() {
    if (submitting_ || waiting_.empty()) {
        return nullptr;
    }
    if (!later_ || waiting_.size() >= maxBatch || handled_ < wanted_) {
        return takeBatch();
    }
    if (!std::exchange(scheduled_, true)) {
        later_([this] {
            std::shared_ptr<Batch> batch;
            {
                const std::lock_guard lock(mutex_);
                scheduled_ = false;
                batch = submitting_ ? nullptr : takeBatch();
            }
            submit(batch);
        });
    }
    return nullptr;
}

/// What is next to be stored; null when nothing waits.
std::shared_ptr<CallLog::Batch> CallLog::takeBatch() {
    submitting_ = !waiting_.empty();
    if (!submitting_) {
        return nullptr;
    }
    auto batch = std::make_shared<Batch>();
    // While the store takes nothing, a single record is enough to find out whether it does again.
    const std::size_t most = failing_ ? 1 : maxBatch;
    while (!waiting_.empty() && batch->size() < most) {
        waitingContent_ -= contentSize(waiting_.front());
        batch->push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
    return batch;
}

void CallLog::submit(const std::shared_ptr<Batch>& batch) {
    if (!batch) {
        return;
    }
    try {
        store_.submit(
            [batch](Transaction& transaction) {
                for (const CallRecord& record : *batch) {
                    insert(transaction, record);
                }
            },
            [this, batch](const std::exception_ptr& problem) { finished(*batch, problem); });
    } catch (const StoreError&) {
        finished(*batch, std::current_exception());
    }
}

/// On the store's thread, or on that of `submit` when the store did not take the batch. The last thing that
/// is done here with this object is to let go of the lock: then whoever waits may destroy it.
void CallLog::finished(Batch& batch, const std::exception_ptr& problem) {
    std::shared_ptr<Batch> next;
    {
        const std::lock_guard lock(mutex_);
        if (problem) {
            putBack(batch, problem);
            submitting_ = false;
        } else {
            handled_ += batch.size();
            if (std::exchange(failing_, false)) {
                log_.info("calls of models can be recorded again");
            }
            submitting_ = false;
            next = takeBatchIfDue();
        }
        changed_.notify_all();
    }
    submit(next);
}

void CallLog::putBack(Batch& batch, const std::exception_ptr& problem) {
    if (!std::exchange(failing_, true)) {
        log_.error("calls of models cannot be recorded; they are kept for a later try",
                   {{"reason", errorText(problem)}});
        for (CallRecord& record : waiting_) {
            record.content.reset();
        }
        waitingContent_ = 0;
    }
    for (auto record = batch.rbegin(); record != batch.rend(); ++record) {
        record->content.reset();
        waiting_.push_front(std::move(*record));
    }
    dropSurplus();
}

/// Of the oldest, as the newest say more of what goes on.
void CallLog::dropSurplus() {
    while (waiting_.size() > maxKept) {
        waitingContent_ -= contentSize(waiting_.front());
        waiting_.pop_front();
        ++handled_;
        if (lost_++ == 0) {
            log_.error("too many calls of models wait to be recorded; the oldest are lost");
        }
    }
}

}  // namespace sallyport::plugins::llm
