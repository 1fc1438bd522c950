#include "host/cli/limit_argument.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

#include "host/cli/client_names.h"

namespace sallyport::host::cli {

namespace {

constexpr std::array<std::string_view, 4> names{"requests_per_second", "event_bytes_per_second", "events",
                                                "event_bytes"};
constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> sizeUnits{
    {{"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}}};

/// Negative for what is no amount.
std::int64_t amountIn(std::string_view text) {
    std::int64_t number = 0;
    const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc() || number < 0) {
        return -1;
    }
    const std::string_view unit = text.substr(static_cast<std::size_t>(stop - text.data()));
    for (const auto& [name, bytes] : sizeUnits) {
        if (unit == name) {
            return number <= std::numeric_limits<std::int64_t>::max() / bytes ? number * bytes : -1;
        }
    }
    return -1;
}

}  // namespace

Poco::JSON::Object limitsFrom(const std::vector<std::string>& arguments) {
    Poco::JSON::Object limits(Poco::JSON_PRESERVE_KEY_ORDER);
    for (const std::string& argument : arguments) {
        const std::size_t equals = argument.find('=');
        const std::string name = argument.substr(0, equals);
        if (equals == std::string::npos || std::find(names.begin(), names.end(), name) == names.end()) {
            throw UsageError("'" + argument + "' is not of the form NAME=VALUE",
                             {"The names are requests_per_second, event_bytes_per_second, events and "
                              "event_bytes."});
        }
        const std::string value = argument.substr(equals + 1);
        if (value == "default") {
            limits.set(name, Poco::Dynamic::Var());
            continue;
        }
        const std::int64_t amount = amountIn(value);
        if (amount < 0) {
            throw UsageError("'" + value + "' is no amount of " + name,
                             {"It is a number, or with KiB, MiB or GiB; 0 for any amount; or default."});
        }
        limits.set(name, amount);
    }
    return limits;
}

}  // namespace sallyport::host::cli
