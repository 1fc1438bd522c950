// Rows in columns, for people.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "host/cli/terminal.h"

namespace sallyport::host::cli {

/// A table that is as wide as what stands in it. On a terminal it is cut to the width: put the column
/// that may be long last. Cells are escaped as all else that is shown.
class Table {
public:
    explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}

    /// @param cells one for each heading.
    void row(Line cells) { rows_.push_back(std::move(cells)); }

    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }

    void print(Terminal& terminal) const;

private:
    [[nodiscard]] std::vector<std::size_t> widths(std::size_t greatest) const;

    std::vector<std::string> headings_;
    std::vector<Line> rows_;
};

/// `name  value` lines, the values below each other. Absent values are not added.
class Fields {
public:
    void add(std::string name, Span value) { fields_.push_back({std::move(name), std::move(value)}); }
    void print(Terminal& terminal) const;

private:
    struct Field {
        std::string name;
        Span value;
    };
    std::vector<Field> fields_;
};

}  // namespace sallyport::host::cli
