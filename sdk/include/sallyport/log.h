// Structured log lines.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace sallyport {

enum class LogLevel { debug, info, warn, error };

/// A named value in a log line.
struct LogField {
    /// A text.
    LogField(std::string_view fieldName, std::string_view text) : name(fieldName), value(text) {}
    /// A text.
    LogField(std::string_view fieldName, const char* text) : name(fieldName), value(text) {}
    /// A text.
    LogField(std::string_view fieldName, const std::string& text) : name(fieldName), value(text) {}
    /// An integer.
    template <std::integral T>
    LogField(std::string_view fieldName, T number)
        : name(fieldName), value(std::to_string(number)), bare(true) {}

    std::string name;   ///< as it stands in the line
    std::string value;  ///< unescaped
    bool bare = false;  ///< written without quotes in JSON
};

/// One line an entry, as text or JSON. Control characters in values are escaped. Never log a token, a
/// body or a secret. [any thread]
class Logger {
public:
    /// What goes into a line beside the message.
    using Fields = std::initializer_list<LogField>;

    virtual ~Logger() = default;

    /// Whether a line of that level would be written, for lines that are dear to build.
    [[nodiscard]] virtual bool enabled(LogLevel level) const = 0;
    /// @param level   lines below `log.level` are left out.
    /// @param message fixed words; what varies goes into fields.
    /// @param fields  what varies.
    virtual void write(LogLevel level, std::string_view message, Fields fields) = 0;

    /// For people who look for a fault.
    void debug(std::string_view message, Fields fields = {}) { write(LogLevel::debug, message, fields); }
    /// What an operator may want to know.
    void info(std::string_view message, Fields fields = {}) { write(LogLevel::info, message, fields); }
    /// What is not as it should be, and goes on.
    void warn(std::string_view message, Fields fields = {}) { write(LogLevel::warn, message, fields); }
    /// What has failed.
    void error(std::string_view message, Fields fields = {}) { write(LogLevel::error, message, fields); }
};

}  // namespace sallyport
