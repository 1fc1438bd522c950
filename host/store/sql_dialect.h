// What differs between SQL engines. Everything else that the host and the plugins say is portable SQL.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::host::store {

/// One engine's way of saying what portable SQL cannot.
struct SqlDialect {
    /// Starts a transaction that may write from its first moment, so that it never fails halfway
    /// because somebody else wrote in between.
    std::string begin;

    /// The column definition of an integer key that the engine gives out, rising and never used twice.
    /// Migrations write it as `{key}`.
    std::string key;

    /// Statements that make a new connection the writer's, or a reader's.
    std::vector<std::string> writer;
    std::vector<std::string> reader;

    /// A migration's statement in the engine's own words.
    [[nodiscard]] std::string schema(std::string_view statement) const;
};

[[nodiscard]] const SqlDialect& sqlite();

}  // namespace sallyport::host::store
