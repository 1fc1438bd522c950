#include "job_ledger.h"

#include <algorithm>

#include <sallyport/errors.h>

#include "money.h"

namespace sallyport::plugins::llm {

namespace {

RequestError exceeded(const char* code, const std::string& limit) {
    return {429, code, "this job has reached its limit of " + limit};
}

RequestError exceededForNow(const char* code, const std::string& limit, std::chrono::seconds wait) {
    RequestError error = exceeded(code, limit);
    error.retryAfter(std::max(wait, std::chrono::seconds(1)));
    return error;
}

bool isReached(std::int64_t limit, std::int64_t used) {
    return limit > 0 && used >= limit;
}

/// Counts come from a provider.
std::int64_t atLeastZero(std::int64_t count) {
    return std::max<std::int64_t>(count, 0);
}

}  // namespace

JobLedger::Admission& JobLedger::Admission::operator=(Admission&& other) noexcept {
    if (this != &other) {
        takeBack();
        ledger_ = std::exchange(other.ledger_, nullptr);
        job_ = other.job_;
    }
    return *this;
}

void JobLedger::Admission::takeBack() noexcept {
    if (JobLedger* const ledger = std::exchange(ledger_, nullptr)) {
        ledger->takeBack(job_);
    }
}

bool JobLedger::known(const JobId& job) const {
    const std::lock_guard lock(mutex_);
    const auto account = accounts_.find(job);
    return account != accounts_.end() && account->second.loaded && !account->second.over;
}

void JobLedger::load(const JobId& job) {
    {
        // There from now on, so that `forget` is not missed while the source is read.
        const std::lock_guard lock(mutex_);
        Account& account = accounts_[job];
        if (account.loaded) {
            return;
        }
        ++account.loading;
    }
    std::optional<UsageTotals> totals;
    try {
        totals = source_(job);
    } catch (...) {
        finishLoading(job, std::nullopt);
        throw;
    }
    finishLoading(job, totals);
}

void JobLedger::finishLoading(const JobId& job, const std::optional<UsageTotals>& read) {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(job);
    Account& account = found->second;
    --account.loading;
    // Another thread may have been quicker, and calls may have been counted since.
    if (read && !account.loaded) {
        account.totals = *read;
        account.beginnings =
            TokenBucket(static_cast<double>(limits_.requestsPerMinute), std::chrono::minutes(1));
        account.loaded = true;
    }
    dropIfUnused(found);
}

JobLedger::Admission JobLedger::admit(const JobId& job, Time now) {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(job);
    if (found == accounts_.end() || !found->second.loaded || found->second.over) {
        throw conflict("job_over", "the job has ended");
    }
    Account& account = found->second;
    requireBudget(account);
    requireRate(account, now);
    account.beginnings.take(1);
    ++account.totals.requests;
    ++account.underWay;
    return {this, job};
}

void JobLedger::requireBudget(const Account& account) const {
    if (isReached(limits_.requests, account.totals.requests)) {
        throw exceeded("request_limit", std::to_string(limits_.requests) + " requests");
    }
    if (isReached(limits_.inputTokens, account.totals.inputTokens)) {
        throw exceeded("input_token_limit", std::to_string(limits_.inputTokens) + " input tokens");
    }
    if (isReached(limits_.outputTokens, account.totals.outputTokens)) {
        throw exceeded("output_token_limit", std::to_string(limits_.outputTokens) + " output tokens");
    }
    if (isReached(limits_.costNano, account.totals.costNano)) {
        throw exceeded("cost_limit", dollars(limits_.costNano) + " dollars");
    }
}

void JobLedger::requireRate(Account& account, Time now) const {
    const auto wait = account.beginnings.wait(1, now);
    if (wait.count() > 0) {
        throw exceededForNow("rate_limit", std::to_string(limits_.requestsPerMinute) + " requests a minute",
                             std::chrono::ceil<std::chrono::seconds>(wait));
    }
}

void JobLedger::settle(Admission admission, const Usage& usage, std::int64_t costNano, bool failed) {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(admission.job_);
    admission.ledger_ = nullptr;
    Account& account = found->second;
    account.totals.failed += failed ? 1 : 0;
    account.totals.inputTokens += atLeastZero(usage.input);
    account.totals.outputTokens += atLeastZero(usage.output);
    account.totals.cacheReadTokens += atLeastZero(usage.cacheRead);
    account.totals.cacheWriteTokens += atLeastZero(usage.cacheWrite);
    account.totals.costNano += costNano;
    --account.underWay;
    dropIfUnused(found);
}

void JobLedger::takeBack(const JobId& job) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(job);
    --found->second.totals.requests;
    --found->second.underWay;
    dropIfUnused(found);
}

void JobLedger::forget(const JobId& job) {
    const std::lock_guard lock(mutex_);
    if (const auto found = accounts_.find(job); found != accounts_.end()) {
        found->second.over = true;
        dropIfUnused(found);
    }
}

/// An account is kept for calls under way and for a job that goes on.
void JobLedger::dropIfUnused(Accounts::iterator account) {
    const Account& found = account->second;
    if (found.underWay == 0 && found.loading == 0 && (found.over || !found.loaded)) {
        accounts_.erase(account);
    }
}

std::optional<UsageTotals> JobLedger::totals(const JobId& job) const {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(job);
    if (found == accounts_.end() || !found->second.loaded) {
        return std::nullopt;
    }
    return found->second.totals;
}

std::size_t JobLedger::size() const {
    const std::lock_guard lock(mutex_);
    return accounts_.size();
}

}  // namespace sallyport::plugins::llm
