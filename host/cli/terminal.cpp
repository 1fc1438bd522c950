#include "host/cli/terminal.h"

#include <cerrno>
#include <ostream>

#include "host/cli/text.h"

namespace sallyport::host::cli {

namespace {

/// SGR sequences (ECMA-48 section 8.3.117).
const char* sequence(Style style) {
    switch (style) {
        case Style::bold:
            return "\x1b[1m";
        case Style::dim:
            return "\x1b[2m";
        case Style::red:
            return "\x1b[31m";
        case Style::green:
            return "\x1b[32m";
        case Style::yellow:
            return "\x1b[33m";
        case Style::blue:
            return "\x1b[34m";
        case Style::cyan:
            return "\x1b[36m";
        case Style::plain:
            break;
    }
    return "";
}

}  // namespace

void Terminal::line(const Line& spans) {
    for (const Span& span : spans) {
        write(escaped(span.text), span.style);
    }
    endLine();
}

void Terminal::fittedLine(const Line& spans, std::size_t screenLines) {
    if (!options_.columns) {
        line(spans);
        return;
    }
    std::size_t left = *options_.columns * screenLines;
    for (const Span& span : spans) {
        const std::string whole = escaped(span.text);
        const std::string part = fitted(whole, left);
        write(part, span.style);
        if (part != whole) {
            break;
        }
        left -= displayWidth(part);
    }
    endLine();
}

void Terminal::prompt(const std::string& text) {
    write(escaped(text), Style::plain);
    flush();
}

void Terminal::json(std::string_view document) {
    while (!document.empty() && document.back() == '\n') {
        document.remove_suffix(1);
    }
    if (options_.interactive) {
        stream_ << escapedJson(document);
    } else {
        stream_ << document;
    }
    endLine();
}

void Terminal::flush() {
    stream_.flush();
    if (failed() && error_ == 0) {
        error_ = errno;
    }
}

bool Terminal::failed() const {
    return !stream_;
}

bool Terminal::readerGone() const noexcept {
    return error_ == EPIPE;
}

void Terminal::write(const std::string& escapedText, Style style) {
    if (!options_.colour || style == Style::plain || escapedText.empty()) {
        stream_ << escapedText;
        return;
    }
    stream_ << sequence(style) << escapedText << "\x1b[0m";
}

void Terminal::endLine() {
    stream_ << '\n';
    if (failed() && error_ == 0) {
        error_ = errno;
    }
}

}  // namespace sallyport::host::cli
