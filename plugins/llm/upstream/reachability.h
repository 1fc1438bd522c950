// Whether servers can be reached.
#pragma once

#include <chrono>
#include <vector>

#include "dial.h"
#include "route.h"

namespace sallyport::plugins::llm {

/// A server to be reached.
struct Destination {
    Route route;
    std::chrono::milliseconds patience{};
};

/// Connects to all of them at once, as calls do, up to where a request would begin: none is sent. Returns
/// when each has answered, failed or taken too long. It needs no event loop: the calling thread does it all,
/// but for looking names up.
/// @return how that ended, in the order of the destinations.
[[nodiscard]] std::vector<Outcome> reach(const std::vector<Destination>& destinations);

}  // namespace sallyport::plugins::llm
