#include "prices.h"

#include <algorithm>
#include <stdexcept>

#include "money.h"

namespace sallyport::plugins::llm {

namespace {

constexpr std::int64_t million = 1'000'000;
constexpr std::int64_t maxTokens = 1'000'000'000;

std::int64_t plausible(std::int64_t tokens) {
    return std::clamp<std::int64_t>(tokens, 0, maxTokens);
}

std::invalid_argument malformed(const std::string& entry) {
    return std::invalid_argument("has the entry '" + entry +
                                 "', expected MODEL=INPUT/OUTPUT[/CACHE_READ[/CACHE_WRITE]] in dollars for a "
                                 "million tokens");
}

std::vector<std::int64_t> readAmounts(const std::string& entry, std::string_view text) {
    std::vector<std::int64_t> amounts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find('/', begin), text.size());
        const auto amount = nanoDollars(text.substr(begin, end - begin));
        if (!amount) {
            throw malformed(entry);
        }
        amounts.push_back(*amount);
        begin = end + 1;
    }
    return amounts;
}

Price readPrice(const std::string& entry, std::string_view text) {
    const std::vector<std::int64_t> amounts = readAmounts(entry, text);
    if (amounts.size() < 2 || amounts.size() > 4) {
        throw malformed(entry);
    }
    const auto amountOrInput = [&](std::size_t index) {
        return index < amounts.size() ? amounts[index] : amounts[0];
    };
    return {amounts[0], amounts[1], amountOrInput(2), amountOrInput(3)};
}

}  // namespace

std::int64_t costOf(const Usage& usage, const Price& price) {
    struct Part {
        std::int64_t tokens;
        std::int64_t price;
    };
    const std::int64_t cacheRead = plausible(usage.cacheRead);
    const std::int64_t cacheWrite = plausible(usage.cacheWrite);
    const std::int64_t fresh = std::max<std::int64_t>(plausible(usage.input) - cacheRead - cacheWrite, 0);
    std::int64_t cost = 0;
    std::int64_t millionths = 0;
    // Divided before they are multiplied: a product of the greatest numbers would not fit.
    for (const Part& part : {Part{fresh, price.input}, Part{plausible(usage.output), price.output},
                             Part{cacheRead, price.cacheRead}, Part{cacheWrite, price.cacheWrite}}) {
        cost += part.tokens * (part.price / million);
        millionths += part.tokens * (part.price % million);
    }
    return cost + (millionths + million - 1) / million;
}

Prices::Prices(const std::vector<std::string>& entries) {
    for (const std::string& entry : entries) {
        const std::size_t equals = entry.rfind('=');
        if (equals == std::string::npos || equals == 0) {
            throw malformed(entry);
        }
        const std::string_view text(entry);
        entries_.push_back({ModelPattern(text.substr(0, equals)), readPrice(entry, text.substr(equals + 1))});
    }
}

std::optional<Price> Prices::find(std::string_view model) const {
    const Entry* const entry = closest(entries_, model);
    return entry == nullptr ? std::nullopt : std::optional(entry->price);
}

std::int64_t Prices::cost(std::string_view model, const Usage& usage) const {
    return costOf(usage, find(model).value_or(Price{}));
}

}  // namespace sallyport::plugins::llm
