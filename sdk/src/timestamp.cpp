#include <algorithm>
#include <cstdio>

#include <sallyport/timestamp.h>

namespace sallyport {

Timestamp now() {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

std::string rfc3339(Timestamp time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    char text[40];
    const int length = std::snprintf(
        text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return {text, static_cast<std::size_t>(length)};
}

namespace {

/// Takes apart a text of fixed fields from its beginning. After a mismatch nothing matches any more.
class FieldReader {
public:
    explicit FieldReader(std::string_view text) : rest_(text) {}

    /// Exactly so many decimal digits, whose value is at most `high`.
    int number(std::size_t digits, int high) {
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            const char c = next();
            good_ = good_ && c >= '0' && c <= '9';
            value = value * 10 + (c - '0');
        }
        good_ = good_ && value <= high;
        return good_ ? value : 0;
    }

    /// One of these characters.
    char one(std::string_view of) {
        const char c = next();
        good_ = good_ && of.find(c) != std::string_view::npos;
        return good_ ? c : '\0';
    }

    /// `.` and at least one digit, if a `.` comes next.
    std::chrono::milliseconds fraction() {
        int milliseconds = 0;
        if (rest_.starts_with('.')) {
            rest_.remove_prefix(1);
            const auto digits = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
            good_ = good_ && digits > 0;
            for (std::size_t i = 0; i < 3; ++i) {
                milliseconds = milliseconds * 10 + (i < digits ? rest_[i] - '0' : 0);
            }
            rest_.remove_prefix(digits);
        }
        return std::chrono::milliseconds(milliseconds);
    }

    /// Whether all matched and nothing is left.
    [[nodiscard]] bool complete() const { return good_ && rest_.empty(); }

private:
    char next() {
        const char c = rest_.empty() ? '\0' : rest_.front();
        good_ = good_ && !rest_.empty();
        rest_.remove_prefix(rest_.empty() ? 0 : 1);
        return c;
    }

    std::string_view rest_;
    bool good_ = true;
};

}  // namespace

std::optional<Timestamp> parseRfc3339(std::string_view text) {
    using namespace std::chrono;
    FieldReader reader(text);
    const year y(reader.number(4, 9999));
    reader.one("-");
    const month m(static_cast<unsigned>(reader.number(2, 12)));
    reader.one("-");
    const day d(static_cast<unsigned>(reader.number(2, 31)));
    reader.one("Tt ");
    const hours hour(reader.number(2, 23));
    reader.one(":");
    const minutes minute(reader.number(2, 59));
    reader.one(":");
    const seconds second(reader.number(2, 59));
    const milliseconds fraction = reader.fraction();
    const char sign = reader.one("Zz+-");
    minutes offset{0};
    if (sign == '+' || sign == '-') {
        offset = hours(reader.number(2, 23));
        reader.one(":");
        offset += minutes(reader.number(2, 59));
    }
    const year_month_day date(y, m, d);
    if (!reader.complete() || !date.ok()) {
        return std::nullopt;
    }
    const auto local = sys_days(date) + hour + minute + second + fraction;
    return Timestamp(sign == '-' ? local + offset : local - offset);
}

}  // namespace sallyport
