#include "host/store/sql_dialect.h"

namespace sallyport::host::store {

std::string SqlDialect::schema(std::string_view statement) const {
    static constexpr std::string_view placeholder = "{key}";
    std::string result(statement);
    for (auto at = result.find(placeholder); at != std::string::npos; at = result.find(placeholder, at)) {
        result.replace(at, placeholder.size(), key);
        at += key.size();
    }
    return result;
}

const SqlDialect& sqlite() {
    static const SqlDialect dialect{
        .begin = "BEGIN IMMEDIATE",
        .key = "INTEGER PRIMARY KEY AUTOINCREMENT",
        .writer =
            {
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",  // a commit returns when the disk has it
                "PRAGMA foreign_keys = ON",
                "PRAGMA cache_size = -2048",  // KiB
                "PRAGMA temp_store = MEMORY",
                "PRAGMA wal_autocheckpoint = 2000",      // pages
                "PRAGMA journal_size_limit = 16777216",  // what a burst leaves of the log
            },
        .reader =
            {
                "PRAGMA query_only = ON",
                "PRAGMA cache_size = -512",
                "PRAGMA temp_store = MEMORY",
            },
    };
    return dialect;
}

}  // namespace sallyport::host::store
