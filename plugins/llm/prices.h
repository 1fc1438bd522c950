// What calls of models cost.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat.h"
#include "model_pattern.h"

namespace sallyport::plugins::llm {

/// Prices in billionths of a dollar for a million tokens.
struct Price {
    std::int64_t input = 0;
    std::int64_t output = 0;
    std::int64_t cacheRead = 0;
    std::int64_t cacheWrite = 0;
};

/// In billionths of a dollar, rounded up. Counts come from a provider: negative ones are taken as none, and
/// absurd ones (above a billion) as a billion.
[[nodiscard]] std::int64_t costOf(const Usage& usage, const Price& price);

/// The table of prices. [any thread; immutable]
class Prices {
public:
    /// @param entries `MODEL=INPUT/OUTPUT[/CACHE_READ[/CACHE_WRITE]]`, in dollars for a million tokens. MODEL
    ///                may end in `*`; the closest entry counts. A price of the cache that is left out is that
    ///                of input.
    /// @throws std::invalid_argument naming the entry that is malformed.
    explicit Prices(const std::vector<std::string>& entries);

    /// Nothing for a model that the table does not name.
    [[nodiscard]] std::optional<Price> find(std::string_view model) const;
    /// In billionths of a dollar; 0 for a model that the table does not name.
    [[nodiscard]] std::int64_t cost(std::string_view model, const Usage& usage) const;

private:
    struct Entry {
        ModelPattern pattern;
        Price price;
    };
    std::vector<Entry> entries_;
};

}  // namespace sallyport::plugins::llm
