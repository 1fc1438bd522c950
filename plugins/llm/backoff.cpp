#include "backoff.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <ctime>
#include <iomanip>
#include <locale>
#include <random>
#include <sstream>
#include <string>

namespace sallyport::plugins::llm {

namespace {

using Delay = Backoff::Delay;

constexpr std::size_t maxDigits = 9;  ///< thirty years

bool isDigits(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
    const std::size_t end = text.find_last_not_of(" \t") + 1;
    return text.substr(begin, std::max(begin, end) - begin);
}

Delay scaled(Delay delay, double factor) {
    return Delay(static_cast<Delay::rep>(static_cast<double>(delay.count()) * factor));
}

/// RFC 9110 section 5.6.7: the form in use, and the two obsolete ones.
constexpr const char* dateForms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                     "%a %b %e %H:%M:%S %Y"};

std::optional<Timestamp> readDate(const std::string& text, const char* form) {
    std::stringstream stream(text);
    stream.imbue(std::locale::classic());
    std::tm parts{};
    stream >> std::get_time(&parts, form);
    const std::chrono::year_month_day day{std::chrono::year(parts.tm_year + 1900),
                                          std::chrono::month(static_cast<unsigned>(parts.tm_mon) + 1),
                                          std::chrono::day(static_cast<unsigned>(parts.tm_mday))};
    // Reading is content with half a date. What was read of a whole one is written as that was.
    stream.clear();
    stream.str({});
    stream << std::put_time(&parts, form);
    if (stream.str() != text || !day.ok()) {
        return std::nullopt;
    }
    return std::chrono::sys_days(day) + std::chrono::hours(parts.tm_hour) +
           std::chrono::minutes(parts.tm_min) + std::chrono::seconds(parts.tm_sec);
}

std::optional<Timestamp> readHttpDate(const std::string& text) {
    for (const char* const form : dateForms) {
        if (const auto date = readDate(text, form)) {
            return date;
        }
    }
    return std::nullopt;
}

}  // namespace

Backoff::Delay Backoff::delay(unsigned retry, std::optional<Delay> retryAfter, double chance) const {
    if (retryAfter) {
        return std::min(*retryAfter + scaled(base_, chance), greatest_);
    }
    const double longest = static_cast<double>(base_.count()) * std::exp2(retry);
    return scaled(Delay(static_cast<Delay::rep>(std::min(longest, static_cast<double>(greatest_.count())))),
                  chance);
}

double Backoff::random() {
    thread_local std::minstd_rand generator{std::random_device{}()};
    return std::uniform_real_distribution<>()(generator);
}

std::optional<std::chrono::milliseconds> parseRetryAfter(std::string_view value, Timestamp now) {
    const std::string_view text = trimmed(value);
    if (text.empty()) {
        return std::nullopt;
    }
    if (isDigits(text)) {
        return std::chrono::seconds(std::stol(std::string(text.substr(0, maxDigits))));
    }
    const auto date = readHttpDate(std::string(text));
    return date ? std::optional(std::max(*date - now, Delay(0))) : std::nullopt;
}

}  // namespace sallyport::plugins::llm
