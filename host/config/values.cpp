#include "host/config/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>
#include <utility>

#include <Poco/String.h>

namespace sallyport::host::config {

namespace {

struct Unit {
    std::string_view name;
    std::int64_t factor;
};

// Largest last: numbers are shown in the largest unit that leaves them whole.
constexpr std::array<Unit, 5> durationUnits{
    {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 4> sizeUnits{
    {{"", 1}, {"KiB", 1LL << 10U}, {"MiB", 1LL << 20U}, {"GiB", 1LL << 30U}}};

constexpr std::int64_t noLimit = std::numeric_limits<std::int64_t>::max();

std::optional<std::int64_t> readInteger(std::string_view text) {
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || rest != end) {
        return std::nullopt;
    }
    return number;
}

std::optional<std::int64_t> readQuantity(std::string_view text, std::span<const Unit> units) {
    if (text == "0") {
        return 0;
    }
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = readInteger(text.substr(0, digits));
    for (const Unit& unit : units) {
        if (number && text.substr(digits) == unit.name && *number <= noLimit / unit.factor) {
            return *number * unit.factor;
        }
    }
    return std::nullopt;
}

std::optional<std::int64_t> readBoolean(std::string_view text) {
    if (text == "true" || text == "false") {
        return text == "true" ? 1 : 0;
    }
    return std::nullopt;
}

std::vector<std::string> readWords(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        std::string word = Poco::trim(std::string(text.substr(0, comma)));
        if (!word.empty()) {
            words.push_back(std::move(word));
        }
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return words;
}

std::optional<std::int64_t> readNumber(SettingKind kind, std::string_view text) {
    switch (kind) {
        case SettingKind::boolean:
            return readBoolean(text);
        case SettingKind::integer:
            return readInteger(text);
        case SettingKind::duration:
            return readQuantity(text, durationUnits);
        case SettingKind::size:
            return readQuantity(text, sizeUnits);
        case SettingKind::text:
        case SettingKind::list:
            break;
    }
    return std::nullopt;
}

std::string show(std::int64_t number, std::span<const Unit> units) {
    if (number == 0) {
        return "0";
    }
    const Unit* shown = &units.front();
    for (const Unit& unit : units) {
        if (number % unit.factor == 0) {
            shown = &unit;
        }
    }
    return std::to_string(number / shown->factor) + std::string(shown->name);
}

/// `, at least 1KiB`, `, at most 1h`, `, from 1s to 1h`, or nothing.
std::string bounds(const Setting& setting, std::span<const Unit> units) {
    const bool low = setting.low != 0;
    const bool high = setting.high != noLimit;
    if (low && high) {
        return ", from " + show(setting.low, units) + " to " + show(setting.high, units);
    }
    if (low) {
        return ", at least " + show(setting.low, units);
    }
    return high ? ", at most " + show(setting.high, units) : "";
}

}  // namespace

std::optional<Value> readValue(const Setting& setting, std::string_view text) {
    if (setting.kind == SettingKind::text) {
        return Value{std::string(text), 0, {}};
    }
    if (setting.kind == SettingKind::list) {
        return Value{std::string(text), 0, readWords(text)};
    }
    const auto number = readNumber(setting.kind, text);
    const bool bounded = setting.kind != SettingKind::boolean;
    if (!number || (bounded && (*number < setting.low || *number > setting.high))) {
        return std::nullopt;
    }
    return Value{std::string(text), *number, {}};
}

std::string expectation(const Setting& setting) {
    constexpr std::array<Unit, 1> plain{{{"", 1}}};
    switch (setting.kind) {
        case SettingKind::boolean:
            return "true or false";
        case SettingKind::integer:
            return "a whole number from " + std::to_string(setting.low) +
                   (setting.high == noLimit ? " up" : " to " + show(setting.high, plain));
        case SettingKind::duration:
            return "a duration such as 500ms, 10s, 5m, 2h or 30d" + bounds(setting, durationUnits);
        case SettingKind::size:
            return "a size such as 512KiB or 32MiB" + bounds(setting, sizeUnits);
        case SettingKind::text:
            return "a text";
        case SettingKind::list:
            break;
    }
    return "words with commas between them";
}

}  // namespace sallyport::host::config
