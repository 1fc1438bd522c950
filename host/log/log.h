// Where log lines go.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include <sallyport/log.h>

namespace sallyport::host::log {

enum class Format { text, json };

/// Where a crash handler writes its line: it can take no lock, and asks for no memory. [signal handlers]
struct Emergency {
    std::atomic<int> descriptor{-1};
    std::atomic<Format> format{Format::text};
    std::atomic<bool> journald{false};  ///< the reader takes a priority in front of a line
};

/// The one place that log lines are written to: standard error, or a file. Lines of several threads
/// never mix. A target that takes nothing (a full disk, a reader that is slow or gone) loses lines and
/// delays nobody for long; how many were lost is said once it takes some again. A flood of lines of one kind
/// is counted instead of written: see LineLimiter. [any thread]
class Sink {
public:
    struct Options {
        LogLevel level = LogLevel::info;
        Format format = Format::text;
        std::string file;  ///< empty: standard error
    };

    /// The process must ignore SIGPIPE. @throws std::runtime_error naming the file that cannot be opened.
    explicit Sink(const Options& options);
    ~Sink();
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;

    /// Applies new options, and opens the file anew, as log rotation wants. If the file cannot be opened
    /// the old target stays and a line there says so.
    void reopen(const Options& options);

    /// Says how many lines of a flood were held back in seconds that are over, as the next line would. To be
    /// called every second. What is left is said when the last logger has gone.
    void writeHeld();

    /// Lives as long as this, and is kept up to date.
    [[nodiscard]] const Emergency& emergency() const;

    /// A logger whose lines carry `component` (`http`, `store`, a plugin's name).
    [[nodiscard]] std::unique_ptr<Logger> logger(std::string component);

private:
    class ComponentLogger;
    struct State;
    std::shared_ptr<State> state_;
};

/// `debug`, `info`, `warn` or `error`. @throws std::invalid_argument
[[nodiscard]] LogLevel parseLevel(std::string_view text);
/// `text` or `json`. @throws std::invalid_argument
[[nodiscard]] Format parseFormat(std::string_view text);

}  // namespace sallyport::host::log
