// What a JSON value is, by its first character.
#pragma once

#include <optional>

#include <sallyport/json.h>

namespace sallyport::json {

/// Nothing for a character that no value begins with.
[[nodiscard]] inline std::optional<Kind> kindAt(char first) {
    switch (first) {
        case '{':
            return Kind::object;
        case '[':
            return Kind::array;
        case '"':
            return Kind::string;
        case 't':
        case 'f':
            return Kind::boolean;
        case 'n':
            return Kind::null;
        default:
            return first == '-' || (first >= '0' && first <= '9') ? std::optional(Kind::number)
                                                                  : std::nullopt;
    }
}

}  // namespace sallyport::json
