#include "host/store/writer.h"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

#include <sallyport/errors.h>

#include "host/log/attempt.h"
#include "host/store/outcome.h"

namespace sallyport::host::store {

namespace {

/// A disk that is full for some writes and not for others must not fill the log as well.
constexpr std::chrono::seconds troubleLoggedEvery{10};

/// What a work sees of the connection while its transaction is open.
class OpenTransaction final : public Transaction {
public:
    explicit OpenTransaction(SqlConnection& connection) : connection_(connection) {}

    std::size_t execute(std::string_view sql, const std::vector<SqlValue>& values) override {
        expectOpen();
        return connection_.execute(sql, values);
    }

    std::int64_t insert(std::string_view sql, const std::vector<SqlValue>& values) override {
        expectOpen();
        return connection_.execute(sql, values) == 0 ? 0 : connection_.lastKey();
    }

    Rows query(std::string_view sql, const std::vector<SqlValue>& values) override {
        expectOpen();
        return connection_.run(sql, values);
    }

private:
    /// SQLite itself ends a transaction on some errors. A work that swallowed such an error must not go
    /// on: its next statement would be committed at once and alone.
    void expectOpen() const {
        if (!connection_.inTransaction()) {
            throw StoreError("the transaction was rolled back by an earlier error in it");
        }
    }

    SqlConnection& connection_;
};

/// The database's failure behind an error, if that is what it is.
std::optional<std::string> failureOfDatabase(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const EngineError& failure) {
        return failure.ofDatabase() ? std::optional(failure.detail()) : std::nullopt;
    } catch (...) {
        return std::nullopt;
    }
}

}  // namespace

Writer::Writer(std::unique_ptr<SqlConnection> connection, const SqlDialect& dialect,
               const FileIdentity& identity, WriteQueue::Limits limits, StoreMetrics& metrics, Logger& log)
    : connection_(std::move(connection)),
      dialect_(dialect),
      identity_(identity),
      metrics_(metrics),
      log_(log),
      most_(limits.group),
      queue_(limits),
      thread_([this] { run(); }) {}

Writer::~Writer() {
    close();
}

void Writer::submit(Store::Work work, Store::Done done) {
    {
        const std::lock_guard lock(mutex_);
        if (closing_) {
            throw StoreError("the database is closed");
        }
        Write write{std::move(work), std::move(done)};
        if (!queue_.push(OnBehalfOf::current(), write)) {
            metrics_.refused();
            throw StoreError("the queue of writes is full");
        }
        metrics_.waiting(queue_.size());
    }
    waiting_.notify_one();
}

void Writer::write(Store::Work work) {
    const auto outcome = std::make_shared<Outcome>();
    submit(std::move(work), [outcome](std::exception_ptr error) { outcome->set(std::move(error)); });
    outcome->await();
}

void Writer::close() {
    if (std::this_thread::get_id() == thread_.get_id()) {
        throw std::logic_error("the store was closed on its own thread");
    }
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    waiting_.notify_one();
    if (thread_.joinable()) {
        thread_.join();
        checkpoint();
        connection_.reset();
    }
}

std::optional<std::string> Writer::trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
}

void Writer::run() {
    isStoreThread = true;
    std::vector<Write> group;
    group.reserve(most_);
    while (take(group)) {
        const auto began = std::chrono::steady_clock::now();
        settle(group);
        const auto failed =
            std::ranges::count_if(group, [](const Write& write) { return write.error != nullptr; });
        metrics_.settled(group.size() - static_cast<std::size_t>(failed), static_cast<std::size_t>(failed),
                         std::chrono::steady_clock::now() - began);
        try {
            noteHealth(group);
        } catch (const std::bad_alloc& error) {
            logProblem("the health of the database is not known", error.what());
        }
        for (Write& write : group) {
            report(write);
        }
        group.clear();
    }
}

/// @return false when nothing is left to do, ever.
bool Writer::take(std::vector<Write>& group) {
    std::unique_lock lock(mutex_);
    waiting_.wait(lock, [this] { return closing_ || !queue_.empty(); });
    queue_.takeGroup(group);
    metrics_.waiting(queue_.size());
    return !group.empty();
}

/// Brings each write of the group to its end: durable, or with an error. First all together, which is
/// what nearly always works. If one fails, the others again with a savepoint each, so that it harms none
/// of them and the disk is still asked only once. If the engine gives up the whole transaction, as it may
/// when the disk is full, each alone: one that deletes may still succeed, and make room.
void Writer::settle(std::vector<Write>& group) {
    if (attempt(group, Isolation::none) || group.size() == 1 || attempt(group, Isolation::savepoints)) {
        return;
    }
    for (Write& write : group) {
        attempt({&write, 1}, Isolation::none);
    }
}

/// One transaction. @return false when it was rolled back because a work failed and others could not help
/// but share its fate.
bool Writer::attempt(std::span<Write> group, Isolation isolation) {
    try {
        identity_.require();
        connection_->run(dialect_.begin);
        if (!runWorks(group, isolation)) {
            rollBack();
            return false;
        }
        connection_->run("COMMIT");
        metrics_.committed();
        return true;
    } catch (const EngineError& failure) {
        rollBack();
        // Also for a work that had failed by itself: what it saw was not to last.
        for (Write& write : group) {
            write.error = std::make_exception_ptr(failure);
        }
        // A commit that fails though the database is well fails for one of the works: a constraint that
        // is checked at the end.
        return failure.ofDatabase();
    } catch (const std::bad_alloc&) {
        rollBack();
        for (Write& write : group) {
            write.error = std::current_exception();
        }
        return true;
    }
}

/// @return false when a work failed and took the transaction with it.
bool Writer::runWorks(std::span<Write> group, Isolation isolation) {
    for (Write& write : group) {
        write.error = nullptr;
        if (isolation == Isolation::savepoints) {
            connection_->run("SAVEPOINT work");
        }
        if (!runWork(write, isolation)) {
            return false;
        }
        if (isolation == Isolation::savepoints) {
            connection_->run("RELEASE work");
        }
    }
    return true;
}

/// @return false when it failed and could not be undone by itself.
bool Writer::runWork(Write& write, Isolation isolation) {
    try {
        OpenTransaction transaction(*connection_);
        write.work(transaction);
        return true;
    } catch (...) {
        write.error = std::current_exception();
    }
    if (isolation == Isolation::none || !connection_->inTransaction()) {
        return false;
    }
    connection_->run("ROLLBACK TO work");
    return true;
}

void Writer::rollBack() {
    try {
        if (connection_->inTransaction()) {
            connection_->run("ROLLBACK");
        }
    } catch (const StoreError& error) {
        logProblem("a transaction could not be rolled back", error.detail().c_str());
    } catch (const std::bad_alloc& error) {
        logProblem("a transaction could not be rolled back", error.what());
    }
}

void Writer::report(Write& write) noexcept {
    // Whoever waits may unload the code of the work as soon as it knows the outcome.
    write.work = nullptr;
    const Store::Done done = std::exchange(write.done, nullptr);
    if (!done) {
        return;
    }
    try {
        done(std::exchange(write.error, nullptr));
    } catch (const std::exception& error) {
        logProblem("what was to happen after a write failed", error.what());
    } catch (...) {
        logProblem("what was to happen after a write failed", "an exception of unknown type");
    }
}

void Writer::logProblem(const char* problem, const char* reason) noexcept {
    log::attempt([&] { log_.error(problem, {{"reason", reason}}); });
}

void Writer::noteHealth(const std::vector<Write>& group) {
    std::optional<std::string> trouble;
    for (const Write& write : group) {
        if (write.error && !trouble) {
            trouble = failureOfDatabase(write.error);
        }
    }
    {
        const std::lock_guard lock(mutex_);
        trouble_ = trouble;
    }
    const auto time = std::chrono::steady_clock::now();
    if (!trouble && troubleLogged_) {
        troubleLogged_ = false;
        log_.info("the database can be written again");
    } else if (trouble && !troubleLogged_ && (!lastTrouble_ || time - *lastTrouble_ >= troubleLoggedEvery)) {
        troubleLogged_ = true;
        lastTrouble_ = time;
        log_.error("the database cannot be written; requests that need it are refused",
                   {{"reason", *trouble}});
    }
}

/// So that the file alone is the whole database while no daemon runs.
void Writer::checkpoint() {
    try {
        connection_->run("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (const StoreError& error) {
        // Nothing is lost: the next start reads the log.
        log_.warn("the log could not be brought into the database file", {{"reason", error.detail()}});
    } catch (const std::bad_alloc&) {
        // The same, without memory even for a line.
    }
}

}  // namespace sallyport::host::store
