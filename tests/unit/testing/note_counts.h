// A service of the plugin notes, as a header that it would share with those that use it.
#pragma once

#include <cstdint>

#include <sallyport/job_id.h>

namespace sallyport {

/// How many notes jobs have. [any thread]
class NoteCounts {
public:
    static constexpr const char* serviceName = "note_counts";

    virtual ~NoteCounts() = default;

    [[nodiscard]] virtual std::int64_t of(const JobId& job) const = 0;
};

}  // namespace sallyport
