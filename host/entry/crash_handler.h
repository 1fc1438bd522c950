// The last words of a daemon that crashes.
#pragma once

#include "host/log/log.h"

namespace sallyport::host::entry {

/// While it lives, a crash (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, std::terminate, and exit(3) out of a
/// plugin) writes one line to the log and one to the crash journal before it takes its course: the signal's
/// former action, a core file if that is wanted, the exit status. The lines name the plugin whose code ran
/// and its version; the callback, the route, the request and the job, as the thread's innermost Entry has
/// them. Code on a plugin's own thread is known by its address alone. A signal from outside, such as a
/// watchdog's, is put down to the plugin's code that has not returned for longest (SlowCalls). At most one of
/// a process.
class CrashHandler {
public:
    /// @param log     outlives this.
    /// @param journal descriptor of the crash journal, which outlives this, too.
    CrashHandler(const log::Emergency& log, int journal);
    ~CrashHandler();
    CrashHandler(const CrashHandler&) = delete;
    CrashHandler& operator=(const CrashHandler&) = delete;
};

}  // namespace sallyport::host::entry
