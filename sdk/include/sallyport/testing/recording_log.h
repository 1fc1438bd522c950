// A log that a test can read.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/log.h>

namespace sallyport::testing {

/// Keeps its lines, of every level. [any thread]
class RecordingLog final : public Logger {
public:
    /// A line as it was written.
    struct Line {
        LogLevel level;                ///< how bad it is
        std::string message;           ///< the fixed words
        std::vector<LogField> fields;  ///< what varies

        /// The words, and each field as ` name=value`.
        [[nodiscard]] std::string text() const;
    };

    [[nodiscard]] bool enabled(LogLevel /*level*/) const override { return true; }
    void write(LogLevel level, std::string_view message, Fields fields) override;

    /// How many lines of that level or above there are.
    [[nodiscard]] std::size_t count(LogLevel least) const;
    /// How many lines have that in their text.
    [[nodiscard]] std::size_t count(std::string_view part) const;
    /// The texts of all lines so far, each with a line end.
    [[nodiscard]] std::string text() const;
    /// All lines so far, the oldest first.
    [[nodiscard]] std::vector<Line> lines() const;

private:
    mutable std::mutex mutex_;
    std::vector<Line> lines_;
};

}  // namespace sallyport::testing
