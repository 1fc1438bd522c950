#include "money.h"

#include <algorithm>
#include <cctype>

namespace sallyport::plugins::llm {

namespace {

constexpr std::int64_t nanoPerDollar = 1'000'000'000;
constexpr std::size_t decimals = 9;

bool allDigits(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// Nothing when it is more than `limit`.
std::optional<std::int64_t> readDigits(std::string_view digits, std::int64_t limit) {
    std::int64_t number = 0;
    for (const char digit : digits) {
        number = number * 10 + (digit - '0');
        if (number > limit) {
            return std::nullopt;
        }
    }
    return number;
}

}  // namespace

std::optional<std::int64_t> nanoDollars(std::string_view text) {
    const std::size_t point = std::min(text.find('.'), text.size());
    const std::string_view whole = text.substr(0, point);
    std::string fraction(text.substr(std::min(point + 1, text.size())));
    if ((whole.empty() && fraction.empty()) || (point < text.size() && fraction.empty()) ||
        fraction.size() > decimals || !allDigits(whole) || !allDigits(fraction)) {
        return std::nullopt;
    }
    fraction.resize(decimals, '0');
    const auto units = readDigits(whole, maxNanoDollars / nanoPerDollar);
    const auto nano = readDigits(fraction, nanoPerDollar);
    if (!units || !nano || *units * nanoPerDollar + *nano > maxNanoDollars) {
        return std::nullopt;
    }
    return *units * nanoPerDollar + *nano;
}

std::string dollars(std::int64_t nano) {
    std::string fraction = std::to_string(nanoPerDollar + nano % nanoPerDollar).substr(1);
    fraction.resize(std::max<std::size_t>(fraction.find_last_not_of('0') + 1, 2), '0');
    return std::to_string(nano / nanoPerDollar) + '.' + fraction;
}

}  // namespace sallyport::plugins::llm
