#include "host/entry/slow_calls.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>

namespace sallyport::host::entry {

namespace {

using namespace std::chrono_literals;

/// One is read while the other is written.
std::array<StuckCall, 2> stuckCalls;
std::atomic<const StuckCall*> longestCall{nullptr};

void copy(const std::string& text, StuckCall::Text& target) {
    const auto size = std::min(text.size(), target.size() - 1);
    std::copy_n(text.data(), size, target.data());
    target.at(size) = '\0';
}

}  // namespace

void logRunning(Logger& log, LogLevel level, std::string_view message, const Running& call) {
    const auto time = call.time.count();
    if (call.request.empty()) {
        log.write(level, message,
                  {{"plugin", call.plugin},
                   {"version", call.version},
                   {"callback", call.callback},
                   {"milliseconds", time}});
    } else if (call.job) {
        log.write(level, message,
                  {{"plugin", call.plugin},
                   {"version", call.version},
                   {"callback", call.callback},
                   {"route", call.route},
                   {"job", call.job->str()},
                   {"request", call.request},
                   {"milliseconds", time}});
    } else {
        log.write(level, message,
                  {{"plugin", call.plugin},
                   {"version", call.version},
                   {"callback", call.callback},
                   {"route", call.route},
                   {"request", call.request},
                   {"milliseconds", time}});
    }
}

SlowCalls::SlowCalls(std::chrono::milliseconds limit, Logger& log)
    : limit_(limit), log_(log), thread_([this](const std::stop_token& stopping) { run(stopping); }) {}

void SlowCalls::run(const std::stop_token& stopping) {
    // Told at most a fifth late.
    const auto pause = std::clamp<std::chrono::milliseconds>(limit_ / 5, 10ms, 1s);
    std::mutex mutex;
    std::condition_variable_any awake;
    std::unique_lock lock(mutex);
    while (!awake.wait_for(lock, stopping, pause, [&stopping] { return stopping.stop_requested(); })) {
        look();
    }
}

const StuckCall* SlowCalls::longest() noexcept {
    return longestCall;
}

void SlowCalls::keepLongest() {
    const auto calls = running(limit_);
    const auto found = std::max_element(calls.begin(), calls.end(),
                                        [](const auto& a, const auto& b) { return a.time < b.time; });
    if (found == calls.end()) {
        longestCall = nullptr;
        return;
    }
    auto& target = longestCall == &stuckCalls.front() ? stuckCalls.back() : stuckCalls.front();
    copy(found->plugin, target.plugin);
    copy(found->version, target.version);
    copy(found->callback, target.callback);
    copy(found->route, target.route);
    copy(found->request, target.request);
    target.job = found->job;
    longestCall = &target;
}

void SlowCalls::look() {
    keepLongest();
    for (const auto& call : newlySlow(limit_)) {
        logRunning(log_, LogLevel::warn, "a plugin's code does not return", call);
    }
}

}  // namespace sallyport::host::entry
