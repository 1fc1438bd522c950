#include "host/entry/signal_text.h"

#include <cerrno>

#include <unistd.h>

namespace sallyport::host::entry {

void SignalText::appendPlain(std::string_view text) noexcept {
    for (const char c : text) {
        append(c >= 0x20 && c < 0x7f && c != '"' && c != '\\' ? c : '?');
    }
}

void SignalText::appendNumber(std::uint64_t number, std::size_t digits) noexcept {
    std::array<char, 20> reversed{};
    std::size_t count = 0;
    for (; number != 0 || count < digits; number /= 10) {
        reversed[count++] = static_cast<char>('0' + number % 10);
    }
    while (count > 0) {
        append(reversed[--count]);
    }
}

void SignalText::appendTime(const timespec& time) noexcept {
    // Days to a civil date, as in https://howardhinnant.github.io/date_algorithms.html#civil_from_days:
    // gmtime_r may take a lock.
    constexpr std::int64_t day = 86'400;
    const auto seconds = static_cast<std::int64_t>(time.tv_sec);
    const auto days = seconds / day + 719'468;
    const auto era = days / 146'097;
    const auto dayOfEra = static_cast<std::uint64_t>(days - era * 146'097);
    const auto yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36'524 - dayOfEra / 146'096) / 365;
    const auto dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
    const auto shifted = (5 * dayOfYear + 2) / 153;
    const auto month = shifted < 10 ? shifted + 3 : shifted - 9;
    const auto year = yearOfEra + static_cast<std::uint64_t>(era) * 400 + (month <= 2 ? 1 : 0);
    const auto ofDay = static_cast<std::uint64_t>(seconds % day);
    appendNumber(year, 4);
    append('-');
    appendNumber(month, 2);
    append('-');
    appendNumber(dayOfYear - (153 * shifted + 2) / 5 + 1, 2);
    append('T');
    appendNumber(ofDay / 3600, 2);
    append(':');
    appendNumber(ofDay / 60 % 60, 2);
    append(':');
    appendNumber(ofDay % 60, 2);
    append('.');
    appendNumber(static_cast<std::uint64_t>(time.tv_nsec) / 1'000'000, 3);
    append('Z');
}

void SignalText::appendJob(const JobId& job) noexcept {
    constexpr std::string_view digits = "0123456789abcdef";
    std::size_t count = 0;
    for (const auto byte : job.bytes()) {
        if (count == 4 || count == 6 || count == 8 || count == 10) {
            append('-');
        }
        append(digits[byte >> 4U]);
        append(digits[byte & 0xfU]);
        ++count;
    }
}

void SignalText::writeTo(int descriptor) const noexcept {
    auto rest = text();
    while (!rest.empty()) {
        const auto written = ::write(descriptor, rest.data(), rest.size());
        if (written < 0 && errno != EINTR) {
            return;
        }
        rest.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
}

}  // namespace sallyport::host::entry
