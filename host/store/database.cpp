#include "host/store/database.h"

#include <filesystem>
#include <memory>
#include <utility>

#include "host/entry/waiting.h"
#include "host/store/file_identity.h"
#include "host/store/migrations.h"
#include "host/store/opening.h"
#include "host/store/reader_pool.h"
#include "host/store/sql_connection.h"
#include "host/store/sql_dialect.h"
#include "host/store/store_metrics.h"
#include "host/store/writer.h"

namespace sallyport::host::store {

class Database::Impl {
public:
    Impl(const Options& options, Logger& log, Metrics* metrics)
        : counted(metrics),
          dialect(sqlite()),
          file(std::filesystem::absolute(options.file)),
          connection(openDatabase(file, dialect, options.maxBytes, options.lockWait)),
          identity(file),
          writer(std::move(connection), dialect, identity,
                 {.places = options.queue, .group = options.group, .groupBytes = options.groupBytes}, counted,
                 log),
          readers(file, dialect, identity, options.readers, options.lockWait, counted) {}

    StoreMetrics counted;
    const SqlDialect& dialect;
    const std::string file;
    std::unique_ptr<SqlConnection> connection;  ///< only until the writer has it
    const FileIdentity identity;
    Writer writer;
    ReaderPool readers;
};

Database::Database(const Options& options, Logger& log, Metrics* metrics)
    : impl_(std::make_unique<Impl>(options, log, metrics)) {}

Database::~Database() {
    close();
}

void Database::migrate(std::string_view component, const std::vector<Migration>& steps) {
    impl_->writer.write([&](Transaction& transaction) {
        applyMigrations(transaction, impl_->dialect, impl_->file, component, steps);
    });
}

void Database::submit(Work work, Done done) {
    impl_->writer.submit(std::move(work), std::move(done));
}

void Database::write(Work work) {
    entry::requireMayWait("Store::write");
    impl_->writer.write(std::move(work));
}

Rows Database::query(std::string_view sql, const std::vector<SqlValue>& values) {
    entry::requireMayWait("Store::query");
    return impl_->readers.query(sql, values);
}

void Database::close() {
    impl_->writer.close();
    impl_->readers.close();
}

std::optional<std::string> Database::trouble() const {
    return impl_->writer.trouble();
}

Database::Space Database::space() {
    const auto number = [this](const char* pragma) {
        return static_cast<std::uint64_t>(query(pragma).at(0).integer(0));
    };
    const std::uint64_t page = number("PRAGMA page_size");
    return {.size = number("PRAGMA page_count") * page, .free = number("PRAGMA freelist_count") * page};
}

}  // namespace sallyport::host::store
