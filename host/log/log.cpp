#include "host/log/log.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <sallyport/timestamp.h>

#include "host/log/line.h"
#include "host/log/output.h"

namespace sallyport::host::log {

struct Sink::State {
    explicit State(const Options& options)
        : level(options.level), format(options.format), output(std::make_unique<Output>(options.file)) {}

    void write(const Entry& entry);

    std::atomic<LogLevel> level;
    std::atomic<Format> format;
    std::mutex mutex;
    std::unique_ptr<Output> output;  ///< guarded by mutex
    std::uint64_t lost = 0;          ///< lines, since the last one that was written; guarded by mutex
};

void Sink::State::write(const Entry& entry) {
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

void Sink::reopen(const Options& options) {
    state_->level = options.level;
    state_->format = options.format;
    try {
        auto output = std::make_unique<Output>(options.file);
        const std::lock_guard lock(state_->mutex);
        state_->output.swap(output);
    } catch (const std::runtime_error& problem) {
        logger("log")->error("log file not changed", {{"error", problem.what()}});
    }
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
