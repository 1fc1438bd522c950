// A database of a test's own, for the tokens of operators.
#pragma once

#include <sallyport/errors.h>
#include <sallyport/log.h>
#include <sallyport/store.h>

#include "host/store/database.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

class SilentLog final : public Logger {
public:
    [[nodiscard]] bool enabled(LogLevel) const override { return false; }
    void write(LogLevel, std::string_view, Fields) override {}
};

/// An embedded database that can be made to refuse writes.
class TestStore final : public Store {
public:
    explicit TestStore(const std::string& file) : database_({.file = file}, log_) {}

    void refuseWrites(bool refuse) { refusing_ = refuse; }

    void migrate(std::string_view component, const std::vector<Migration>& steps) override {
        database_.migrate(component, steps);
    }
    void submit(Work work, Done done) override { database_.submit(std::move(work), std::move(done)); }
    void write(Work work) override {
        if (refusing_) {
            throw StoreError("the disk is full");
        }
        database_.write(std::move(work));
    }
    [[nodiscard]] Rows query(std::string_view sql, const std::vector<SqlValue>& values = {}) override {
        return database_.query(sql, values);
    }

private:
    SilentLog log_;
    host::store::Database database_;
    bool refusing_ = false;
};

}  // namespace sallyport::tests
