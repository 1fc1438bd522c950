#include "host/cli/age.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>

namespace sallyport::host::cli {

namespace {

/// To the second: a fraction makes no difference to what is shown.
std::optional<Timestamp> parse(const std::string& rfc3339) {
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (std::sscanf(rfc3339.c_str(), "%4d-%2u-%2uT%2d:%2d:%2d", &year, &month, &day, &hour, &minute,
                    &second) != 6 ||
        !rfc3339.ends_with('Z')) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                           std::chrono::day(day)};
    if (!date.ok()) {
        return std::nullopt;
    }
    return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
           std::chrono::seconds(second);
}

struct Unit {
    std::int64_t seconds;
    const char* letter;
};

constexpr Unit ageUnits[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};

}  // namespace

std::string age(std::string_view rfc3339, Timestamp now) {
    if (rfc3339.empty()) {
        return "-";
    }
    const std::optional<Timestamp> then = parse(std::string(rfc3339));
    if (!then) {
        return std::string(rfc3339);
    }
    const std::int64_t passed = std::chrono::floor<std::chrono::seconds>(now - *then).count();
    for (const Unit& unit : ageUnits) {
        if (passed >= unit.seconds) {
            return std::to_string(passed / unit.seconds) + unit.letter + " ago";
        }
    }
    return "just now";
}

std::string duration(std::chrono::seconds time) {
    std::int64_t left = time.count();
    std::string text;
    int shown = 0;
    for (const Unit& unit : ageUnits) {
        if (left >= unit.seconds && shown < 2) {
            text += (text.empty() ? "" : " ") + std::to_string(left / unit.seconds) + unit.letter;
            ++shown;
        } else if (shown == 1) {
            break;
        }
        left %= unit.seconds;
    }
    return text.empty() ? "0s" : text;
}

}  // namespace sallyport::host::cli
