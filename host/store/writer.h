// The one thread that changes the database.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
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

#include "host/store/connection.h"
#include "host/store/dialect.h"

namespace sallyport::host::store {

/// Runs writes in the order in which they come, as many in one transaction as are waiting, so that the
/// disk is asked once for all of them. It never waits for a group to fill. [any thread]
class Writer {
public:
    struct Limits {
        std::size_t queue;  ///< writes waiting at the most
        std::size_t group;  ///< writes in one transaction at the most
    };

    Writer(std::unique_ptr<Connection> connection, const Dialect& dialect, Limits limits, Logger& log);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// As Store::submit.
    void submit(Store::Work work, Store::Done done);
    /// As Store::write. @throws std::logic_error on the writer's own thread.
    void write(Store::Work work);

    /// Commits what is queued, brings the log into the database file and closes it. Later writes throw.
    void close();

    /// Whether the last group could be written.
    [[nodiscard]] bool healthy() const;

private:
    struct Entry {
        Store::Work work;
        Store::Done done;
        std::exception_ptr error;
    };
    enum class Isolation { none, savepoints };

    void run();
    bool take(std::vector<Entry>& group);
    void settle(std::vector<Entry>& group);
    bool attempt(std::span<Entry> group, Isolation isolation);
    bool runWorks(std::span<Entry> group, Isolation isolation);
    bool runWork(Entry& entry, Isolation isolation);
    void rollBack();
    void report(Entry& entry);
    void noteHealth(const std::vector<Entry>& group);
    void checkpoint();

    std::unique_ptr<Connection> connection_;
    const Dialect& dialect_;
    const Limits limits_;
    Logger& log_;

    mutable std::mutex mutex_;
    std::condition_variable waiting_;
    std::deque<Entry> queue_;
    bool closing_ = false;
    bool healthy_ = true;

    // The thread's own.
    bool troubleLogged_ = false;
    std::optional<std::chrono::steady_clock::time_point> lastTrouble_;

    std::thread thread_;
};

}  // namespace sallyport::host::store
