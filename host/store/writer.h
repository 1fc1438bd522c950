// The one thread that changes the database.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <sallyport/log.h>
#include <sallyport/store.h>

#include "host/store/file_identity.h"
#include "host/store/sql_connection.h"
#include "host/store/sql_dialect.h"
#include "host/store/store_metrics.h"
#include "host/store/write_queue.h"

namespace sallyport::host::store {

/// Runs writes, as many in one transaction as are waiting and its bounds allow, so that the disk is asked
/// once for all of them. It never waits for a group to fill. Whose turn it is, the queue decides: each write
/// is of the job for which the submitting thread works (OnBehalfOf). [any thread]
class Writer {
public:
    /// @param identity of the connection's files, without which nothing is written.
    /// @param metrics outlives this.
    Writer(std::unique_ptr<SqlConnection> connection, const SqlDialect& dialect, const FileIdentity& identity,
           WriteQueue::Limits limits, StoreMetrics& metrics, Logger& log);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// As Store::submit.
    void submit(Store::Work work, Store::Done done);
    /// As Store::write. @throws std::logic_error on the writer's own thread.
    void write(Store::Work work);

    /// Commits what is queued, brings the log into the database file and closes it. Later writes throw.
    void close();

    /// Why the last group could not be written; nothing if it could.
    [[nodiscard]] std::optional<std::string> trouble() const;

private:
    enum class Isolation { none, savepoints };

    void run();
    bool take(std::vector<Write>& group);
    void settle(std::vector<Write>& group);
    bool attempt(std::span<Write> group, Isolation isolation);
    bool runWorks(std::span<Write> group, Isolation isolation);
    bool runWork(Write& write, Isolation isolation);
    void rollBack();
    void report(Write& write) noexcept;
    void logProblem(const char* problem, const char* reason) noexcept;
    void noteHealth(const std::vector<Write>& group);
    void checkpoint();

    std::unique_ptr<SqlConnection> connection_;
    const SqlDialect& dialect_;
    const FileIdentity& identity_;
    StoreMetrics& metrics_;
    Logger& log_;

    const std::size_t most_;  ///< writes in a group

    mutable std::mutex mutex_;
    std::condition_variable waiting_;
    WriteQueue queue_;
    bool closing_ = false;
    std::optional<std::string> trouble_;

    // The thread's own.
    bool troubleLogged_ = false;
    std::optional<std::chrono::steady_clock::time_point> lastTrouble_;

    std::thread thread_;
};

}  // namespace sallyport::host::store
