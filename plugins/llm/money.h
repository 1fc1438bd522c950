// Amounts of money, without rounding errors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::plugins::llm {

/// The greatest amount that can be written in the configuration: a million dollars.
constexpr std::int64_t maxNanoDollars = 1'000'000'000'000'000;

/// A decimal number of dollars, such as `12`, `0.25` or `.25`, in billionths of a dollar. Nothing for any
/// other text, for more than nine decimals and for more than maxNanoDollars.
[[nodiscard]] std::optional<std::int64_t> nanoDollars(std::string_view text);

/// An amount, not negative, as it would be written: `0.25`, two decimals or as many as are needed.
[[nodiscard]] std::string dollars(std::int64_t nano);

}  // namespace sallyport::plugins::llm
