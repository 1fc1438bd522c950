#include "host/plugins/trusted_sums.h"

#include <sstream>
#include <string_view>
#include <system_error>

#include <sallyport/ascii.h>

#include "host/trust/file.h"

namespace sallyport::host::plugins {

namespace {

constexpr std::size_t sumLength = 64;

/// sha256sum separates sum and name by two blanks, or by a blank and a star. It begins a line with a
/// backslash if there is one in the name.
bool isSumLine(const std::string& line) {
    return line.size() > sumLength + 2 && line.find_first_not_of("0123456789abcdefABCDEF") == sumLength &&
           line[sumLength] == ' ' && (line[sumLength + 1] == ' ' || line[sumLength + 1] == '*');
}

std::string contents(const std::string& file, const trust::Trust& trust) {
    try {
        return trust::contentsOf(file, trust);
    } catch (const std::system_error& error) {
        throw std::runtime_error("it cannot be read: " + error.code().message());
    }
}

}  // namespace

TrustedSums::TrustedSums(std::string file, const trust::Trust& trust) : file_(std::move(file)) {
    std::istringstream lines(contents(file_, trust));
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
        addLine(line.starts_with('\\') ? line.substr(1) : line, ++number);
    }
}

void TrustedSums::addLine(const std::string& line, std::size_t number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos || line.front() == '#') {
        return;
    }
    if (!isSumLine(line)) {
        throw std::runtime_error("its line " + std::to_string(number) + " is none");
    }
    sums_.insert(ascii::lowered(std::string_view(line).substr(0, sumLength)));
}

std::string notListed(const TrustedSums& sums, const std::string& sha256) {
    return "its SHA-256 sum, " + sha256 + ", is not in " + sums.file() +
           " (plugins.trusted); if it may run, add it: sallyport plugin verify --sums";
}

}  // namespace sallyport::host::plugins
