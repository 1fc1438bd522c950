// Where the program writes, for people and for programs.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::host::cli {

enum class Style { plain, bold, dim, red, green, yellow, blue, cyan };

/// A piece of a line. The text is as it came, from whomever: Terminal escapes it.
struct Span {
    std::string text;
    Style style = Style::plain;
};

using Line = std::vector<Span>;

/// Standard output or standard error. What others wrote reaches the screen only through here, and so
/// only escaped: a worker must not move the operator's cursor.
class Terminal {
public:
    struct Options {
        bool interactive = false;  ///< a person reads it now
        bool colour = false;
        std::optional<std::size_t> columns = std::nullopt;  ///< lines may be cut to this; nothing: never cut
    };

    Terminal(std::ostream& stream, Options options) : stream_(stream), options_(options) {}

    /// One line, however long.
    void line(const Line& spans);
    /// One line, cut to so many lines of the terminal.
    void fittedLine(const Line& spans, std::size_t screenLines = 1);
    /// Asks for something: without a line end, and at once.
    void prompt(const std::string& text);
    /// A JSON document on a line, byte for byte; for a person with what a terminal would obey spelled out.
    void json(std::string_view document);

    void flush();
    /// Whether something could not be written.
    [[nodiscard]] bool failed() const;
    /// Whether that was because nobody reads any more, as when `head` has seen enough.
    [[nodiscard]] bool readerGone() const noexcept;
    [[nodiscard]] bool interactive() const noexcept { return options_.interactive; }
    [[nodiscard]] std::optional<std::size_t> columns() const noexcept { return options_.columns; }

private:
    void write(const std::string& escapedText, Style style);
    void endLine();

    std::ostream& stream_;
    Options options_;
    int error_ = 0;  ///< errno of the first write that failed
};

}  // namespace sallyport::host::cli
