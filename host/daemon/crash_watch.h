// What a daemon does about the crashes of its earlier runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <sallyport/log.h>
#include <sallyport/quarantine.h>

#include "host/auth/worker_tokens.h"
#include "host/entry/crash_handler.h"
#include "host/entry/crash_journal.h"

namespace sallyport::host {

/// Writes down how this run ends, should it crash; tells how earlier ones ended; and keeps those jobs out
/// whose requests are to blame. [any thread]
class CrashWatch final : public Quarantine {
public:
    /// @param tokens outlives this, as the others do.
    CrashWatch(const std::string& dataDirectory, const log::Emergency& emergency, auth::WorkerTokens& tokens,
               Logger& log);

    /// Logs what is known, and refuses the requests of quarantined jobs. [once their tokens are known]
    void begin();

    [[nodiscard]] bool holds(const JobId& job) const override;

    [[nodiscard]] entry::CrashHistory history() const { return journal_.history(); }
    /// See CrashJournal. @throws StoreError
    std::size_t acknowledge(const std::string& plugin);
    /// Lets a job's requests in again. @return false when they are not kept out. @throws StoreError
    bool release(const JobId& job);

private:
    auth::WorkerTokens& tokens_;
    Logger& log_;
    entry::CrashJournal journal_;
    entry::CrashHandler handler_;
};

}  // namespace sallyport::host
