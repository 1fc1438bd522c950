// What is remembered of crashes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/file_descriptor.h>
#include <sallyport/job_id.h>

namespace sallyport::host::entry {

/// A crash of an earlier run.
struct Crash {
    std::string time;    ///< RFC 3339
    std::string plugin;  ///< whose code ran; `sallyportd` when it was no plugin's
    std::string version;
    std::string callback;  ///< empty on a thread of the plugin's own
    std::string route;     ///< empty when it was for no request
    std::string request;   ///< the request's id; empty as above
    std::optional<JobId> job;
    std::string signal;
    std::string error;  ///< of an exception that nobody caught
};

/// Crashes and what was said of them.
struct CrashHistory {
    std::vector<Crash> crashes;  ///< not acknowledged, oldest first
    std::vector<JobId> quarantined;

    /// What the file says. Lines that cannot be read are left out.
    [[nodiscard]] static CrashHistory parse(const std::string& text);
    /// That of a data directory, without changing anything; empty where there is none.
    [[nodiscard]] static CrashHistory in(const std::filesystem::path& directory);
};

/// The file `crashes.jsonl` in the data directory, one line for each crash and for each thing that an
/// operator said about one. The crash handler appends to it, so room for its line is set aside beforehand: it
/// is there also when the disk is full. A job is quarantined from its second crash on until it is released.
/// [any thread]
class CrashJournal {
public:
    /// Crashes of one job after which its requests are refused.
    static constexpr std::size_t mostOfAJob = 2;

    /// Opens or creates the file, and shortens it when it has grown long. When it cannot be opened, what
    /// there was in it counts, and nothing is written.
    explicit CrashJournal(const std::filesystem::path& directory);

    /// For appending a line; -1 when it could not be opened.
    [[nodiscard]] int descriptor() const noexcept { return file_.get(); }

    [[nodiscard]] CrashHistory history() const;

    /// Takes note that an operator knows of a plugin's crashes. @return of how many; with 0, nothing is
    /// written.
    /// @throws StoreError when that cannot be written.
    std::size_t acknowledge(const std::string& plugin);

    /// Ends a job's quarantine. @return false when there was none; nothing is written then.
    /// @throws StoreError when that cannot be written.
    bool release(const JobId& job);

private:
    void append(const std::string& line);

    mutable std::mutex mutex_;
    const std::filesystem::path path_;
    FileDescriptor file_;
    std::string text_;  ///< what is in the file
};

}  // namespace sallyport::host::entry
