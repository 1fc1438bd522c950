// SQLite through Poco::Data, with one writer that commits in groups.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <sys/types.h>

#include <sallyport/ext/metrics.h>
#include <sallyport/file_descriptor.h>
#include <sallyport/log.h>
#include <sallyport/store.h>

namespace sallyport::host::store {

/// The embedded database `<data.dir>/sallyport.db`. [any thread]
class Database final : public Store {
public:
    struct Options {
        std::string file;
        std::size_t queue = 8192;                         ///< writes waiting at the most; more are refused
        std::size_t group = 256;                          ///< writes in one transaction at the most
        std::size_t groupBytes = std::size_t{256} << 10;  ///< bytes of these
        std::size_t maxBytes = 0;  ///< size of the database file at the most; 0: the disk decides
        std::size_t readers = 4;   ///< read connections at the most
        std::chrono::milliseconds lockWait{2000};  ///< how long a lock of another process is waited for
    };

    /// Opens or creates the database and starts the writer.
    /// @param metrics where it is counted, for as long as this lives; null: nowhere.
    /// @throws StoreError whose detail() is a sentence for the operator: unreadable, read-only, locked,
    ///         damaged, no database, not Sallyport's.
    Database(const Options& options, Logger& log, Metrics* metrics = nullptr);
    ~Database() override;

    void migrate(std::string_view component, const std::vector<Migration>& steps) override;
    void submit(Work work, Done done) override;
    void write(Work work) override;
    [[nodiscard]] Rows query(std::string_view sql, const std::vector<SqlValue>& values = {}) override;

    /// Commits what is queued, stops the writer and closes. Later writes throw StoreError.
    void close();

    /// Why the last write failed, if the database did not take it: a sentence for the operator. Nothing while
    /// it is well.
    [[nodiscard]] std::optional<std::string> trouble() const;
    [[nodiscard]] bool healthy() const { return !trouble(); }

    /// Bytes of the database file.
    struct Space {
        std::uint64_t size;
        std::uint64_t free;  ///< of these, what deleted rows have left for new ones
    };
    /// @throws StoreError
    [[nodiscard]] Space space();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// Holds a lock on the data directory for as long as it lives, so that two daemons never share one. The
/// file that is locked stays: removing it would let a third daemon lock a new one while a second waits for
/// it.
class DirectoryLock {
public:
    /// Creates the directory (mode 0700) if need be.
    /// @throws std::runtime_error a sentence that names the directory, and the other daemon's process id.
    explicit DirectoryLock(const std::string& directory);

    /// The process that holds the lock on a directory, found without touching the lock; nothing if there is
    /// none. @throws std::runtime_error when that cannot be seen.
    [[nodiscard]] static std::optional<pid_t> holder(const std::string& directory);

private:
    FileDescriptor file_;
};

}  // namespace sallyport::host::store
