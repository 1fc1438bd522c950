// Reading the values of settings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/settings.h>

namespace sallyport::host::config {

/// A setting's value, read and within bounds.
struct Value {
    std::string text;                ///< as written
    std::int64_t number = 0;         ///< of a boolean (0 or 1), integer, duration (ms) or size (bytes)
    std::vector<std::string> words;  ///< of a list
};

/// Nothing if the text is no value of that kind, or out of the setting's bounds.
[[nodiscard]] std::optional<Value> readValue(const Setting& setting, std::string_view text);

/// What readValue wants, to go after "expected": `a size such as 512KiB or 32MiB, at least 1KiB`.
[[nodiscard]] std::string expectation(const Setting& setting);

}  // namespace sallyport::host::config
