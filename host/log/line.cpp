#include "host/log/line.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

#include "sdk/src/utf8.h"

namespace sallyport::host::log {

namespace {

// Journald cuts lines at 48 KiB and takes the rest for a line of its own. A few values of this length stay
// below that even if every byte is escaped.
constexpr std::size_t longestValue = 2048;

constexpr std::array<std::string_view, 4> reservedNames{"time", "level", "component", "message"};

enum class Quotes { keep, escape };

std::string_view levelName(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warn:
            return "warn";
        case LogLevel::error:
            break;
    }
    return "error";
}

std::string_view paddedLevelName(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return "DEBUG";
        case LogLevel::info:
            return "INFO ";
        case LogLevel::warn:
            return "WARN ";
        case LogLevel::error:
            break;
    }
    return "ERROR";
}

std::uint32_t decode(std::string_view sequence) {
    const auto lead = static_cast<unsigned char>(sequence[0]);
    std::uint32_t point = sequence.size() == 1 ? lead : lead & (0x7FU >> sequence.size());
    for (const char tail : sequence.substr(1)) {
        point = point << 6U | (static_cast<unsigned char>(tail) & 0x3FU);
    }
    return point;
}

/// C0 and C1 controls (a terminal may obey both), line separators, and marks that reorder what is shown.
bool mustEscape(std::uint32_t point) {
    return point < 0x20 || (point >= 0x7F && point <= 0x9F) || point == 0x061C ||
           (point >= 0x200E && point <= 0x200F) || (point >= 0x2028 && point <= 0x202E) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xFEFF;
}

void appendEscaped(std::string& line, std::uint32_t point) {
    switch (point) {
        case '\n':
            line += "\\n";
            return;
        case '\r':
            line += "\\r";
            return;
        case '\t':
            line += "\\t";
            return;
        default:
            std::array<char, 8> text{};
            std::snprintf(text.data(), text.size(), "\\u%04x", point & 0xFFFFU);
            line += text.data();
    }
}

void appendInvalid(std::string& line, Format format, char byte) {
    if (format == Format::json) {
        line += "\\ufffd";
        return;
    }
    std::array<char, 5> text{};
    std::snprintf(text.data(), text.size(), "\\x%02x",
                  static_cast<unsigned>(static_cast<unsigned char>(byte)));
    line += text.data();
}

void appendSafe(std::string& line, Format format, std::string_view text, Quotes quotes) {
    while (!text.empty()) {
        const std::size_t length = utf8::sequenceLength(text);
        const std::string_view sequence = text.substr(0, std::max<std::size_t>(length, 1));
        text.remove_prefix(sequence.size());
        if (length == 0) {
            appendInvalid(line, format, sequence[0]);
        } else if (const std::uint32_t point = decode(sequence); mustEscape(point)) {
            appendEscaped(line, point);
        } else {
            if (quotes == Quotes::escape && (point == '"' || point == '\\')) {
                line += '\\';
            }
            line += sequence;
        }
    }
}

/// `text`, or its beginning and its length.
std::string shortened(std::string_view text) {
    if (text.size() <= longestValue) {
        return std::string(text);
    }
    std::size_t end = longestValue;
    while (end > longestValue - 3 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
        --end;  // not in the middle of a character
    }
    return std::string(text.substr(0, end)) + "… (" + std::to_string(text.size()) + " bytes)";
}

void appendQuoted(std::string& line, Format format, std::string_view text) {
    line += '"';
    appendSafe(line, format, shortened(text), Quotes::escape);
    line += '"';
}

/// Quoted unless it can be told from what stands around it without.
void appendTextValue(std::string& line, std::string_view value) {
    std::string quoted;
    appendQuoted(quoted, Format::text, value);
    const std::string_view inner = std::string_view(quoted).substr(1, quoted.size() - 2);
    const bool plain =
        !value.empty() && inner == value && value.find_first_of(" =") == std::string_view::npos;
    line += plain ? inner : quoted;
}

void appendTextName(std::string& line, std::string_view name) {
    for (const char c : name) {
        const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          c == '_' || c == '-' || c == '.';
        line += word ? c : '_';
    }
}

std::string textLine(const Entry& entry) {
    std::string line = rfc3339(entry.time);
    line += ' ';
    line += paddedLevelName(entry.level);
    line += ' ';
    appendSafe(line, Format::text, entry.component, Quotes::keep);
    line += ": ";
    appendSafe(line, Format::text, shortened(entry.message), Quotes::keep);
    for (const LogField& field : entry.fields) {
        line += ' ';
        appendTextName(line, field.name);
        line += '=';
        appendTextValue(line, field.value);
    }
    return line;
}

/// A field may have any name; one that the line has already gets a `_` behind it.
void appendJsonName(std::string& line, const std::string& name) {
    const bool reserved = std::find(reservedNames.begin(), reservedNames.end(), name) != reservedNames.end();
    line += ',';
    appendQuoted(line, Format::json, reserved ? name + "_" : name);
    line += ':';
}

std::string jsonLine(const Entry& entry) {
    std::string line = "{\"time\":\"" + rfc3339(entry.time) + "\",\"level\":\"";
    line += levelName(entry.level);
    line += "\",\"component\":";
    appendQuoted(line, Format::json, entry.component);
    line += ",\"message\":";
    appendQuoted(line, Format::json, entry.message);
    for (const LogField& field : entry.fields) {
        appendJsonName(line, field.name);
        if (field.bare) {
            line += field.value;
        } else {
            appendQuoted(line, Format::json, field.value);
        }
    }
    line += '}';
    return line;
}

}  // namespace

std::string formatLine(Format format, const Entry& entry) {
    std::string line = format == Format::json ? jsonLine(entry) : textLine(entry);
    line += '\n';
    return line;
}

}  // namespace sallyport::host::log
