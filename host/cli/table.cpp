#include "host/cli/table.h"

#include <algorithm>
#include <limits>

#include "host/cli/text.h"

namespace sallyport::host::cli {

namespace {

constexpr std::size_t gap = 2;

/// What a column other than the last may take of a terminal, so that one long name does not push
/// everything else off the screen. A UUID fits.
constexpr std::size_t widestOnTerminal = 36;

/// A cell of so many columns, filled with spaces or cut.
Span padded(const Span& cell, std::size_t width) {
    std::string text = fitted(escaped(cell.text), width);
    text.append(width - displayWidth(text) + gap, ' ');
    return {std::move(text), cell.style};
}

}  // namespace

std::vector<std::size_t> Table::widths(std::size_t greatest) const {
    std::vector<std::size_t> result;
    for (const std::string& heading : headings_) {
        result.push_back(displayWidth(heading));
    }
    for (const Line& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            result[i] = std::max(result[i], std::min(greatest, displayWidth(escaped(row[i].text))));
        }
    }
    return result;
}

void Table::print(Terminal& terminal) const {
    const std::vector<std::size_t> width =
        widths(terminal.columns() ? widestOnTerminal : std::numeric_limits<std::size_t>::max());
    const auto print = [&](const Line& cells) {
        Line spans;
        for (std::size_t i = 0; i + 1 < cells.size(); ++i) {
            spans.push_back(padded(cells[i], width[i]));
        }
        spans.push_back(cells.back());
        terminal.fittedLine(spans);
    };
    Line headings;
    for (const std::string& heading : headings_) {
        headings.push_back({heading, Style::bold});
    }
    print(headings);
    for (const Line& row : rows_) {
        print(row);
    }
}

void Fields::print(Terminal& terminal) const {
    std::size_t width = 0;
    for (const Field& field : fields_) {
        width = std::max(width, displayWidth(field.name));
    }
    for (const Field& field : fields_) {
        terminal.line({padded({field.name, Style::dim}, width), field.value});
    }
}

}  // namespace sallyport::host::cli
