#include "host/jobs/cursor.h"

#include <array>
#include <charconv>

#include <sallyport/errors.h>

namespace sallyport::host::jobs {

namespace {

/// Tells these cursors from those of other lists.
constexpr char mark = 'j';

}  // namespace

std::string cursorAfter(std::int64_t number) {
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
    return mark + std::string(digits.data(), end);
}

std::int64_t numberIn(std::string_view cursor) {
    std::int64_t number = 0;
    if (!cursor.empty()) {
        std::from_chars(cursor.data() + 1, cursor.data() + cursor.size(), number, 16);
    }
    // Written anew it must be the same: no sign, no leading zero, no capital, nothing behind it.
    if (number <= 0 || cursorAfter(number) != cursor) {
        throw badRequest("the cursor is not one that this list gave");
    }
    return number;
}

}  // namespace sallyport::host::jobs
