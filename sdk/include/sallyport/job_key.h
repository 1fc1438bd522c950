// A job's id as a column of a plugin's table.
#pragma once

#include <algorithm>

#include <sallyport/job_id.h>
#include <sallyport/store.h>

namespace sallyport {

/// The 16 bytes of the id, for a column of type BLOB. [any thread]
[[nodiscard]] inline Bytes jobKey(const JobId& job) {
    return {job.bytes().begin(), job.bytes().end()};
}

/// The id that `jobKey` was made from. Bytes that are missing are zero, further ones are left out. [any
/// thread]
[[nodiscard]] inline JobId jobOfKey(const Bytes& key) {
    JobId::Bytes id{};
    std::copy_n(key.begin(), std::min(key.size(), id.size()), id.begin());
    return JobId(id);
}

}  // namespace sallyport
