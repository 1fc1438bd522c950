#include "event_id.h"

#include <charconv>
#include <limits>
#include <system_error>

namespace sallyport::plugins {

std::optional<std::uint64_t> eventId(std::string_view text) {
    // The database numbers them.
    constexpr auto greatest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    std::uint64_t id = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, id);
    return problem == std::errc() && stop == end && id <= greatest ? std::optional(id) : std::nullopt;
}

}  // namespace sallyport::plugins
