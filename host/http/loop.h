// What plugins use of an event loop.
#pragma once

#include <cstdint>

#include "host/http/task.h"
#include "host/http/timers.h"
#include "host/http/watches.h"

namespace sallyport::host::http {

/// A thread with an epoll(7) set, which runs tasks, tells watches and has timers expire.
class Loop {
public:
    virtual ~Loop() = default;

    /// Whether the caller is on the loop's thread. [any thread]
    [[nodiscard]] virtual bool isCurrent() const noexcept = 0;

    /// Runs `task` on the loop's thread soon, in the order of posting. [any thread]
    virtual void post(Task task) = 0;

    // The rest is for the loop's thread.

    /// A number for a watch. None is given twice.
    [[nodiscard]] virtual std::uint64_t newNumber() = 0;
    [[nodiscard]] virtual Watches& watches() noexcept = 0;
    [[nodiscard]] virtual Timers& timers() noexcept = 0;
};

}  // namespace sallyport::host::http
