// Cases of a test that are written down as data, so that they can be read and added to without code.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::tests {

/// One block of a file: lines `key: value`, or a key alone.
struct Case {
    std::string name;                                          ///< the value of its first key, `name`
    std::vector<std::pair<std::string, std::string>> entries;  ///< the others, in order, not expanded

    /// The value of a key; `fallback` if it is not there.
    [[nodiscard]] std::string value(std::string_view key, std::string_view fallback = "") const;
    /// The values of a key that may stand there several times.
    [[nodiscard]] std::vector<std::string> values(std::string_view key) const;
};

/// Reads the blocks of a file. Empty lines end a block, lines that begin with `#` are comments.
/// @throws std::runtime_error naming the file and the block that has no name
[[nodiscard]] std::vector<Case> readCases(const std::filesystem::path& file);

/// What stands for a value of the running test, by its name.
using Variables = std::map<std::string, std::string, std::less<>>;

/// The text with what `$(…)` stands for: bytes in hexadecimal (`$(0d 0a)`), a variable (`$(TOKEN)`) or a text
/// and how often it comes (`$(ab*3)`), in which `#` is the number of the repetition, from 0.
/// @throws std::runtime_error for anything else
[[nodiscard]] std::string expanded(std::string_view text, const Variables& variables = {});

}  // namespace sallyport::tests
