#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>

#include <sallyport/store.h>

namespace sallyport {

namespace {

/// The longest prefix that reads as a number, or zero, as CAST does in SQLite.
template <class Number>
Number leadingNumber(std::string_view text) {
    const auto start = text.find_first_not_of(" \t\r\n\f\v");
    if (start == std::string_view::npos) {
        return 0;
    }
    text.remove_prefix(start);
    if (text.front() == '+') {
        text.remove_prefix(1);
    }
    Number number = 0;
    const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem == std::errc::result_out_of_range) {
        return text.front() == '-' ? std::numeric_limits<Number>::lowest()
                                   : std::numeric_limits<Number>::max();
    }
    return number;
}

std::int64_t truncated(double number) {
    // The bounds are exact powers of two; what lies outside would be undefined to convert.
    constexpr double bound = 9223372036854775808.0;
    if (number >= bound) {
        return std::numeric_limits<std::int64_t>::max();
    }
    if (number < -bound) {
        return std::numeric_limits<std::int64_t>::min();
    }
    return static_cast<std::int64_t>(number);
}

std::string realText(double number) {
    char text[40];
    const int length = std::snprintf(text, sizeof(text), "%.15g", number);
    std::string result(text, static_cast<std::size_t>(length));
    if (result.find_first_not_of("-0123456789") == std::string::npos) {
        result += ".0";
    }
    return result;
}

std::string_view view(const Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

bool Row::isNull(std::size_t column) const {
    return std::holds_alternative<std::monostate>(columns_.at(column));
}

std::int64_t Row::integer(std::size_t column) const {
    const SqlValue& value = columns_.at(column);
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        return *integer;
    }
    if (const auto* real = std::get_if<double>(&value)) {
        return truncated(*real);
    }
    return leadingNumber<std::int64_t>(text(column));
}

double Row::real(std::size_t column) const {
    const SqlValue& value = columns_.at(column);
    if (const auto* real = std::get_if<double>(&value)) {
        return *real;
    }
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        return static_cast<double>(*integer);
    }
    return leadingNumber<double>(text(column));
}

std::string Row::text(std::size_t column) const {
    const SqlValue& value = columns_.at(column);
    if (const auto* text = std::get_if<std::string>(&value)) {
        return *text;
    }
    if (const auto* bytes = std::get_if<Bytes>(&value)) {
        return std::string(view(*bytes));
    }
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        return std::to_string(*integer);
    }
    if (const auto* real = std::get_if<double>(&value)) {
        return realText(*real);
    }
    return {};
}

Bytes Row::bytes(std::size_t column) const {
    if (const auto* bytes = std::get_if<Bytes>(&columns_.at(column))) {
        return *bytes;
    }
    const std::string content = text(column);
    return {content.begin(), content.end()};
}

std::optional<std::int64_t> Row::optionalInteger(std::size_t column) const {
    return isNull(column) ? std::nullopt : std::optional(integer(column));
}

std::optional<std::string> Row::optionalText(std::size_t column) const {
    return isNull(column) ? std::nullopt : std::optional(text(column));
}

}  // namespace sallyport
