#include "host/store/migrations.h"

#include <cstdint>
#include <stdexcept>

#include <sallyport/errors.h>
#include <sallyport/timestamp.h>

namespace sallyport::host::store {

namespace {

void checkNumbers(std::string_view component, const std::vector<Migration>& steps) {
    int expected = 0;
    for (const Migration& step : steps) {
        if (step.version != ++expected) {
            throw std::logic_error("the migrations of " + std::string(component) + " lack step " +
                                   std::to_string(expected));
        }
    }
}

std::int64_t appliedVersion(Transaction& transaction, std::string_view component) {
    transaction.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations ("
        " component TEXT NOT NULL,"
        " version BIGINT NOT NULL,"
        " applied_at BIGINT NOT NULL,"
        " PRIMARY KEY (component, version))");
    return transaction
        .query("SELECT max(version) FROM schema_migrations WHERE component = ?", {std::string(component)})
        .at(0)
        .integer(0);
}

}  // namespace

void applyMigrations(Transaction& transaction, const SqlDialect& dialect, const std::string& file,
                     std::string_view component, const std::vector<Migration>& steps) {
    checkNumbers(component, steps);
    const std::int64_t applied = appliedVersion(transaction, component);
    const auto known = static_cast<std::int64_t>(steps.size());
    if (applied > known) {
        throw StoreError("the database \"" + file + "\" was written by a newer version (" +
                         std::string(component) + " schema " + std::to_string(applied) +
                         ", this version knows " + std::to_string(known) +
                         "); install that version or restore a backup");
    }
    for (const Migration& step : steps) {
        if (step.version <= applied) {
            continue;
        }
        for (const std::string& statement : step.statements) {
            transaction.execute(dialect.schema(statement));
        }
        transaction.execute("INSERT INTO schema_migrations (component, version, applied_at) VALUES (?, ?, ?)",
                            {std::string(component), std::int64_t{step.version},
                             std::int64_t{now().time_since_epoch().count()}});
    }
}

}  // namespace sallyport::host::store
