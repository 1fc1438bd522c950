// The place in a list of jobs at which the next page begins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::host::jobs {

/// The cursor for the page after the job of that number.
[[nodiscard]] std::string cursorAfter(std::int64_t number);

/// The number in a cursor. @throws RequestError 400 if cursorAfter did not make it.
[[nodiscard]] std::int64_t numberIn(std::string_view cursor);

}  // namespace sallyport::host::jobs
