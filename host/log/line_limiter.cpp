#include "host/log/line_limiter.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace sallyport::host::log {

namespace {

using namespace std::chrono_literals;

constexpr auto period = 1s;
/// Seconds that are over are looked for no more often than this.
constexpr auto lookEvery = 200ms;
/// Bytes of a message by which it is told from others.
constexpr std::size_t longestMessage = 200;

/// Lines of a kind in a second: at first, and while a flood goes on.
struct Allowance {
    std::uint64_t first;
    std::uint64_t further;
};
constexpr Allowance causedByPeers{10, 1};
constexpr Allowance others{256, 10};

std::string_view valueOf(const Entry& entry, std::string_view name) {
    const auto* const field = std::find_if(entry.fields.begin(), entry.fields.end(),
                                           [name](const LogField& each) { return each.name == name; });
    return field == entry.fields.end() ? std::string_view() : std::string_view(field->value);
}

bool isCausedByPeer(const Entry& entry) {
    return std::any_of(entry.fields.begin(), entry.fields.end(), [](const LogField& field) {
        return field.name == "request" || field.name == "job" || field.name == "peer";
    });
}

std::string keyOf(const LineLimiter::Held& kind) {
    std::string key(1, static_cast<char>('0' + static_cast<int>(kind.level)));
    for (const std::string* part :
         {&kind.component, &kind.message, &kind.plugin, &kind.callback, &kind.job}) {
        key.append(*part).push_back('\0');
    }
    return key;
}

}  // namespace

bool LineLimiter::admit(const Entry& entry, Clock::time_point now) {
    if (entry.level == LogLevel::debug) {
        return true;
    }
    Kind& kind = kindOf(entry, now);
    const Allowance& allowance = isCausedByPeer(entry) ? causedByPeers : others;
    if (kind.written < (kind.flooding ? allowance.further : allowance.first)) {
        ++kind.written;
        return true;
    }
    ++kind.held.lines;
    return false;
}

LineLimiter::Kind& LineLimiter::kindOf(const Entry& entry, Clock::time_point now) {
    Kind fresh{
        .since = now,
        .held = {entry.level, std::string(entry.component),
                 std::string(entry.message.substr(0, longestMessage)), std::string(valueOf(entry, "plugin")),
                 std::string(valueOf(entry, "callback")), std::string(valueOf(entry, "job")), 0}};
    std::string key = keyOf(fresh.held);
    if (kinds_.size() >= mostKinds && !kinds_.contains(key)) {
        // Also what should be fixed words is not trusted to be.
        fresh.held.message = "lines of many kinds";
        fresh.held.plugin.clear();
        fresh.held.callback.clear();
        fresh.held.job.clear();
        key = keyOf(fresh.held);
    }
    return kinds_.try_emplace(std::move(key), std::move(fresh)).first->second;
}

std::vector<LineLimiter::Held> LineLimiter::take(Clock::time_point now) {
    std::vector<Held> held;
    if (now - lookedAt_ < lookEvery) {
        return held;
    }
    lookedAt_ = now;
    for (auto each = kinds_.begin(); each != kinds_.end();) {
        Kind& kind = each->second;
        if (now - kind.since < period) {
            ++each;
        } else if (kind.held.lines == 0) {
            each = kinds_.erase(each);
        } else {
            held.push_back(kind.held);
            kind.held.lines = 0;
            kind.since = now;
            kind.written = 0;
            kind.flooding = true;
            ++each;
        }
    }
    return held;
}

std::vector<LineLimiter::Held> LineLimiter::takeAll() {
    std::vector<Held> held;
    for (auto& [key, kind] : kinds_) {
        if (kind.held.lines > 0) {
            held.push_back(kind.held);
        }
    }
    kinds_.clear();
    return held;
}

}  // namespace sallyport::host::log
