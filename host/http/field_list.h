// Fields whose value is a list (RFC 9110 section 5.6.1).
#pragma once

#include <string_view>

#include <sallyport/ascii.h>

namespace sallyport::host::http {

/// Without the spaces and tabs around it.
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

/// Whether one of the members of a list, which have commas between them, is that word in any letter case.
[[nodiscard]] constexpr bool listContains(std::string_view list, std::string_view wanted) noexcept {
    while (!list.empty()) {
        const auto comma = list.find(',');
        if (ascii::equalsIgnoringCase(trimmed(list.substr(0, comma)), wanted)) {
            return true;
        }
        if (comma == std::string_view::npos) {
            break;
        }
        list.remove_prefix(comma + 1);
    }
    return false;
}

}  // namespace sallyport::host::http
