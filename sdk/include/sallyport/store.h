// The database that plugins keep their tables in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sallyport {

class StoreError;

/// A value bound to a `?` in a statement. `std::monostate` is NULL. Text is UTF-8; bytes are kept as
/// they are.
using Bytes = std::vector<std::uint8_t>;
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string, Bytes>;

/// Binds an optional: NULL when empty.
template <class T>
[[nodiscard]] SqlValue sqlValue(const std::optional<T>& value) {
    return value ? SqlValue{*value} : SqlValue{};
}

/// One row of a result; columns counted from 0. The accessors convert as SQLite would.
class Row {
public:
    /// A row of these columns, as the store makes them.
    explicit Row(std::vector<SqlValue> columns) : columns_(std::move(columns)) {}

    /// Whether the column is NULL.
    [[nodiscard]] bool isNull(std::size_t column) const;
    /// 0 for NULL.
    [[nodiscard]] std::int64_t integer(std::size_t column) const;
    /// 0 for NULL.
    [[nodiscard]] double real(std::size_t column) const;
    /// Empty for NULL.
    [[nodiscard]] std::string text(std::size_t column) const;
    /// Empty for NULL.
    [[nodiscard]] Bytes bytes(std::size_t column) const;
    /// Nothing for NULL.
    [[nodiscard]] std::optional<std::int64_t> optionalInteger(std::size_t column) const;
    /// Nothing for NULL.
    [[nodiscard]] std::optional<std::string> optionalText(std::size_t column) const;

private:
    std::vector<SqlValue> columns_;
};

using Rows = std::vector<Row>;

/// Statements of one transaction, on the store's thread. Statements are portable SQL with `?`
/// placeholders, one statement a call.
class Transaction {
public:
    virtual ~Transaction() = default;

    /// Runs a statement that changes rows. @return how many it changed.
    virtual std::size_t execute(std::string_view sql, const std::vector<SqlValue>& values = {}) = 0;

    /// Runs an INSERT into a table with an integer key. @return the new row's key.
    virtual std::int64_t insert(std::string_view sql, const std::vector<SqlValue>& values = {}) = 0;

    /// Runs a SELECT, seeing what this transaction has done so far.
    [[nodiscard]] virtual Rows query(std::string_view sql, const std::vector<SqlValue>& values = {}) = 0;
};

/// One numbered step of a component's schema. Numbers start at 1 and grow by 1; a step that has been
/// released never changes. `{key}` in a statement stands for the definition of an integer column that is the
/// table's key and that the engine fills, rising and never with the same number twice.
struct Migration {
    int version;                          ///< 1, 2, 3, …
    std::vector<std::string> statements;  ///< run in one transaction
};

/// The database. Writes go through one thread that commits them in groups, so that a write is answered
/// after it is durable and the disk is asked once for many.
class Store {
public:
    /// Changes rows. It may run more than once (when another write of its group fails), and only the
    /// last run counts: have no effect outside the transaction but assigning results.
    using Work = std::function<void(Transaction&)>;
    /// What became of it: nothing when durable, else why not (StoreError, or what `work` threw).
    using Done = std::function<void(std::exception_ptr)>;

    virtual ~Store() = default;

    /// Brings the tables of `component` to the last of `steps`. Tables are named after their component.
    /// @throws StoreError if the database was written by a newer version or cannot be changed.
    /// [during start] @throws std::logic_error later.
    virtual void migrate(std::string_view component, const std::vector<Migration>& steps) = 0;

    /// Queues a write and returns at once. `done` is called on the store's thread and must not block.
    ///
    /// A write that is queued while a worker's request is served (in its handler, or when the deferred reply
    /// is begun) waits in a line of that job's, any other in one of the host's. In a line writes keep their
    /// order; the lines share the disk, so that a job with many waiting keeps no other waiting. [any thread]
    /// @throws StoreError when the queue is full (`store.queue`), or this job's part of it; then `done` is
    /// not called.
    virtual void submit(Work work, Done done) = 0;

    /// Writes and returns when it is durable. Not from the store's thread or a `Run::loop` handler.
    /// @throws StoreError, or what `work` threw.
    virtual void write(Work work) = 0;

    /// Reads what is committed. May block on the disk: not from a `Run::loop` handler. [any thread]
    /// @throws StoreError
    [[nodiscard]] virtual Rows query(std::string_view sql, const std::vector<SqlValue>& values = {}) = 0;
};

}  // namespace sallyport
