// Text that the user hands to a command.
#pragma once

#include <iosfwd>
#include <string>

namespace sallyport::host::cli {

/// The text itself. @throws UsageError if it is empty or is not UTF-8.
[[nodiscard]] std::string checkedText(std::string text, const char* what);

/// The argument itself, or all of `in` if it is `-`.
/// @throws UsageError if it cannot be read, is empty or is not UTF-8.
[[nodiscard]] std::string textFrom(const std::string& argument, std::istream& in, const char* what);

/// What stands in a file.
/// @throws UsageError as above.
[[nodiscard]] std::string textFromFile(const std::string& path, const char* what);

}  // namespace sallyport::host::cli
