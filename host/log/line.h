// What a log line looks like.
#pragma once

#include <string>
#include <string_view>

#include <sallyport/log.h>
#include <sallyport/timestamp.h>

#include "host/log/log.h"

namespace sallyport::host::log {

struct Entry {
    Timestamp time;
    LogLevel level;
    std::string_view component;
    std::string_view message;
    Logger::Fields fields;
};

/// The entry as one line with its `\n`:
///
///     2026-11-23T00:44:01.123Z INFO  http: request refused status=401 path="/a b"
///     {"time":"2026-…","level":"info","component":"http","message":"request refused","status":401}
///
/// Whatever the values hold, it stays one line of valid UTF-8 without control characters, so that no
/// client can forge a line or steer the terminal it is read on. Values that are very long are cut.
[[nodiscard]] std::string formatLine(Format format, const Entry& entry);

}  // namespace sallyport::host::log
