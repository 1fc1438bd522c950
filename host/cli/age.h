// Points in time as people read them.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include <sallyport/timestamp.h>

namespace sallyport::host::cli {

/// How long ago an RFC 3339 time was: `just now`, `42s ago`, `3m ago`, `5h ago`, `12d ago`. A text that
/// is no such time comes back as it is; an empty one as `-`.
[[nodiscard]] std::string age(std::string_view rfc3339, Timestamp now);

/// A stretch of time in its two greatest units: `42s`, `3m 5s`, `5h 12m`, `12d 3h`.
[[nodiscard]] std::string duration(std::chrono::seconds time);

}  // namespace sallyport::host::cli
