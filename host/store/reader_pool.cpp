#include "host/store/reader_pool.h"

#include <utility>

#include <sallyport/errors.h>

namespace sallyport::host::store {

ReaderPool::ReaderPool(std::string file, const SqlDialect& dialect, const FileIdentity& identity,
                       std::size_t size, std::chrono::milliseconds lockWait, StoreMetrics& metrics)
    : file_(std::move(file)),
      dialect_(dialect),
      identity_(identity),
      size_(size),
      lockWait_(lockWait),
      metrics_(metrics) {
    idle_.reserve(size_);  // giving back needs no memory
}

ReaderPool::~ReaderPool() {
    close();
}

Rows ReaderPool::query(std::string_view sql, const std::vector<SqlValue>& values) {
    std::unique_ptr<SqlConnection> connection = borrow();
    try {
        if (!connection) {
            connection = open();
        }
        Rows rows = connection->run(sql, values);
        giveBack(std::move(connection));
        return rows;
    } catch (const EngineError& error) {
        // A connection that met a failing disk may go on failing after the disk has recovered.
        giveBack(error.ofDatabase() ? nullptr : std::move(connection));
        throw;
    } catch (...) {
        giveBack(std::move(connection));
        throw;
    }
}

void ReaderPool::close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    idle_.clear();
    returned_.notify_all();
    returned_.wait(lock, [this] { return borrowed_ == 0; });
}

/// @return null when the caller is to open a new one.
std::unique_ptr<SqlConnection> ReaderPool::borrow() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return closed_ || borrowed_ < size_; });
    if (closed_) {
        throw StoreError("the database is closed");
    }
    ++borrowed_;
    metrics_.readBegan();
    if (idle_.empty()) {
        return nullptr;
    }
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    return connection;
}

/// @param connection null when it is of no more use.
void ReaderPool::giveBack(std::unique_ptr<SqlConnection> connection) {
    {
        const std::lock_guard lock(mutex_);
        if (connection && !closed_) {
            idle_.push_back(std::move(connection));
        }
        connection.reset();  // before whoever closes the pool is told that none is left
        --borrowed_;
        metrics_.readEnded();
    }
    returned_.notify_all();
}

std::unique_ptr<SqlConnection> ReaderPool::open() const {
    // SQLite would make a new database where there is none.
    identity_.require();
    auto connection = std::make_unique<SqlConnection>(file_, lockWait_);
    for (const std::string& statement : dialect_.reader) {
        connection->run(statement);
    }
    return connection;
}

}  // namespace sallyport::host::store
