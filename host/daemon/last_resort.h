// An end to a shutdown that does not come to its end.
#pragma once

#include <chrono>
#include <stop_token>
#include <thread>

#include <sallyport/log.h>

namespace sallyport::host {

/// Ends the process when it has lived too long, without destroying anything: some code does not return, on a
/// loop or the store's thread, and all else waits for it. The log says which. What was acknowledged is on the
/// disk by then.
class LastResort {
public:
    /// @param log outlives this.
    LastResort(std::chrono::milliseconds limit, Logger& log);

private:
    static void run(const std::stop_token& stopping, std::chrono::milliseconds limit, Logger& log);

    std::jthread thread_;
};

}  // namespace sallyport::host
