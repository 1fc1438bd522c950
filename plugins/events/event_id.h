// The numbers of events, as clients send them back.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sallyport::plugins {

/// The number that `text`, a `Last-Event-ID`, writes in decimal digits and nothing else; nothing if it is
/// none that an event can have.
[[nodiscard]] std::optional<std::uint64_t> eventId(std::string_view text);

}  // namespace sallyport::plugins
