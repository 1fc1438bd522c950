#include "host/daemon/last_resort.h"

#include <condition_variable>
#include <mutex>

#include <sysexits.h>
#include <unistd.h>

#include "host/entry/slow_calls.h"

namespace sallyport::host {

LastResort::LastResort(std::chrono::milliseconds limit, Logger& log)
    : thread_([limit, &log](const std::stop_token& stopping) { run(stopping, limit, log); }) {}

void LastResort::run(const std::stop_token& stopping, std::chrono::milliseconds limit, Logger& log) {
    std::mutex mutex;
    std::condition_variable_any awake;
    std::unique_lock lock(mutex);
    if (awake.wait_for(lock, stopping, limit, [&stopping] { return stopping.stop_requested(); }))
        return;
    for (const auto& call : entry::running({}))
        entry::logRunning(log, LogLevel::error, "a plugin's code does not return", call);
    log.error("the daemon could not stop in time, and ends as it is");
    ::_exit(EX_SOFTWARE);
}

}  // namespace sallyport::host
