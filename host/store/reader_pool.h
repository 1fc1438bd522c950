// Connections that read.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/store.h>

#include "host/store/file_identity.h"
#include "host/store/sql_connection.h"
#include "host/store/sql_dialect.h"
#include "host/store/store_metrics.h"

namespace sallyport::host::store {

/// Connections that only read, opened when they are first needed and shared by all threads. [any thread]
class ReaderPool {
public:
    /// @param size connections at the most; further readers wait.
    /// @param identity of the file: another one under its name is not read.
    /// @param metrics outlives this.
    ReaderPool(std::string file, const SqlDialect& dialect, const FileIdentity& identity, std::size_t size,
               std::chrono::milliseconds lockWait, StoreMetrics& metrics);
    ~ReaderPool();
    ReaderPool(const ReaderPool&) = delete;
    ReaderPool& operator=(const ReaderPool&) = delete;

    /// As Store::query.
    [[nodiscard]] Rows query(std::string_view sql, const std::vector<SqlValue>& values);

    /// Waits for reads in progress and closes all connections. Later reads throw StoreError.
    void close();

private:
    std::unique_ptr<SqlConnection> borrow();
    void giveBack(std::unique_ptr<SqlConnection> connection);
    [[nodiscard]] std::unique_ptr<SqlConnection> open() const;

    const std::string file_;
    const SqlDialect& dialect_;
    const FileIdentity& identity_;
    const std::size_t size_;
    const std::chrono::milliseconds lockWait_;
    StoreMetrics& metrics_;

    std::mutex mutex_;
    std::condition_variable returned_;
    std::vector<std::unique_ptr<SqlConnection>> idle_;
    std::size_t borrowed_ = 0;
    bool closed_ = false;
};

}  // namespace sallyport::host::store
