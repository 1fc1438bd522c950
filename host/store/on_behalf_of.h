// For which job a thread works.
#pragma once

#include <cstddef>

#include <sallyport/job_id.h>

namespace sallyport::host::store {

/// Whose a write is.
struct Origin {
    JobId job;              ///< the nil id: the host's own
    std::size_t bytes = 0;  ///< a guess at what it brings to the disk, such as the size of the request
};

/// While it lives, what this thread submits to the store is of that origin. Without one it is the host's.
/// They nest. [one thread]
class OnBehalfOf {
public:
    explicit OnBehalfOf(const Origin& origin) noexcept : outer_(current_) { current_ = origin; }
    ~OnBehalfOf() { current_ = outer_; }
    OnBehalfOf(const OnBehalfOf&) = delete;
    OnBehalfOf& operator=(const OnBehalfOf&) = delete;

    /// What holds on this thread.
    [[nodiscard]] static const Origin& current() noexcept { return current_; }

private:
    inline static thread_local Origin current_;
    const Origin outer_;
};

}  // namespace sallyport::host::store
