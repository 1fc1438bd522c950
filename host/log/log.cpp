#include "host/log/log.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include <sallyport/timestamp.h>

#include "host/log/line.h"
#include "host/log/line_limiter.h"
#include "host/log/output.h"

namespace sallyport::host::log {

struct Sink::State {
    explicit State(const Options& options)
        : level(options.level), format(options.format), output(std::make_unique<Output>(options.file)) {
        noteOutput();
    }
    ~State();
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void write(const Entry& entry);
    /// Says how many lines were held back in seconds that are over.
    void writeHeld();

    void say(const std::vector<LineLimiter::Held>& held);
    void writeLine(const Entry& entry);
    void noteOutput();

    std::atomic<LogLevel> level;
    std::atomic<Format> format;
    std::mutex limiterMutex;
    LineLimiter limiter;  ///< guarded by limiterMutex
    std::mutex mutex;
    std::unique_ptr<Output> output;  ///< guarded by mutex
    std::uint64_t lost = 0;          ///< lines, since the last one that was written; guarded by mutex
    Emergency emergency;
};

Sink::State::~State() {
    say(limiter.takeAll());
}

void Sink::State::noteOutput() {
    emergency.format = format.load();
    emergency.journald = output->journald();
    emergency.descriptor = output->descriptor();
}

void Sink::State::write(const Entry& entry) {
    std::vector<LineLimiter::Held> held;
    bool admitted = false;
    {
        const auto time = LineLimiter::Clock::now();
        const std::lock_guard lock(limiterMutex);
        held = limiter.take(time);
        admitted = limiter.admit(entry, time);
    }
    say(held);
    if (admitted) {
        writeLine(entry);
    }
}

void Sink::State::writeHeld() {
    std::vector<LineLimiter::Held> held;
    {
        const std::lock_guard lock(limiterMutex);
        held = limiter.take(LineLimiter::Clock::now());
    }
    say(held);
}

void Sink::State::say(const std::vector<LineLimiter::Held>& held) {
    for (const LineLimiter::Held& kind : held) {
        const std::string message = kind.message + ", and more like it";
        const auto write = [&](Logger::Fields fields) {
            writeLine({now(), kind.level, kind.component, message, fields});
        };
        if (kind.plugin.empty() && kind.job.empty()) {
            write({{"more", kind.lines}});
        } else if (kind.plugin.empty()) {
            write({{"more", kind.lines}, {"job", kind.job}});
        } else if (!kind.callback.empty() && kind.job.empty()) {
            write({{"more", kind.lines}, {"plugin", kind.plugin}, {"callback", kind.callback}});
        } else if (!kind.callback.empty()) {
            write({{"more", kind.lines},
                   {"plugin", kind.plugin},
                   {"callback", kind.callback},
                   {"job", kind.job}});
        } else if (kind.job.empty()) {
            write({{"more", kind.lines}, {"plugin", kind.plugin}});
        } else {
            write({{"more", kind.lines}, {"plugin", kind.plugin}, {"job", kind.job}});
        }
    }
}

void Sink::State::writeLine(const Entry& entry) {
    const Format lineFormat = format;
    std::string line = formatLine(lineFormat, entry);
    const std::lock_guard lock(mutex);
    if (lost > 0) {
        const Entry notice{entry.time, LogLevel::warn, "log", "lines were lost", {{"lines", lost}}};
        if (!output->write(notice.level, formatLine(lineFormat, notice))) {
            ++lost;
            return;
        }
        lost = 0;
    }
    if (!output->write(entry.level, std::move(line))) {
        ++lost;
    }
}

class Sink::ComponentLogger final : public Logger {
public:
    ComponentLogger(std::shared_ptr<State> state, std::string component)
        : state_(std::move(state)), component_(std::move(component)) {}

    [[nodiscard]] bool enabled(LogLevel level) const override {
        return level >= state_->level.load(std::memory_order_relaxed);
    }

    void write(LogLevel level, std::string_view message, Fields fields) override {
        if (enabled(level)) {
            state_->write({now(), level, component_, message, fields});
        }
    }

private:
    std::shared_ptr<State> state_;
    std::string component_;
};

Sink::Sink(const Options& options) : state_(std::make_shared<State>(options)) {}

Sink::~Sink() = default;

void Sink::writeHeld() {
    state_->writeHeld();
}

void Sink::reopen(const Options& options) {
    state_->level = options.level;
    state_->format = options.format;
    try {
        auto output = std::make_unique<Output>(options.file);
        const std::lock_guard lock(state_->mutex);
        state_->output.swap(output);
        state_->noteOutput();
    } catch (const std::runtime_error& problem) {
        logger("log")->error("log file not changed", {{"error", problem.what()}});
    }
}

const Emergency& Sink::emergency() const {
    return state_->emergency;
}

std::unique_ptr<Logger> Sink::logger(std::string component) {
    return std::make_unique<ComponentLogger>(state_, std::move(component));
}

LogLevel parseLevel(std::string_view text) {
    if (text == "debug") {
        return LogLevel::debug;
    }
    if (text == "info") {
        return LogLevel::info;
    }
    if (text == "warn") {
        return LogLevel::warn;
    }
    if (text == "error") {
        return LogLevel::error;
    }
    throw std::invalid_argument("a log level is debug, info, warn or error");
}

Format parseFormat(std::string_view text) {
    if (text == "text") {
        return Format::text;
    }
    if (text == "json") {
        return Format::json;
    }
    throw std::invalid_argument("a log format is text or json");
}

}  // namespace sallyport::host::log
