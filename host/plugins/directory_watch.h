// Noticing plugin files that come, go or change.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <sallyport/file_descriptor.h>
#include <sallyport/log.h>

#include "host/trust/steps.h"

struct inotify_event;

namespace sallyport::host::plugins {

/// What is watched.
struct Watched {
    std::vector<std::string> directories;  ///< for the plugins in them
    std::vector<std::string> files;        ///< for what is in them

    bool operator==(const Watched&) const = default;
};

/// Calls back when a watched file was renamed into its place: at once; and when one was written and closed,
/// or is gone: a moment later, so that neither a `chmod` that follows the copying is missed, nor is a file
/// that is removed to be replaced taken for gone. One that somebody writes to is waited for, however long
/// that takes. The directories and all that leads to them may be missing, replaced or linked elsewhere, which
/// is noticed, too. It sleeps while nothing happens (inotify(7)). [any thread]
class DirectoryWatch {
public:
    using Changed = std::function<void()>;

    /// @param changed called on a thread of this object, once for all that has happened by then.
    DirectoryWatch(Logger& log, Changed changed);
    /// Waits for a call in progress.
    ~DirectoryWatch();
    DirectoryWatch(const DirectoryWatch&) = delete;
    DirectoryWatch& operator=(const DirectoryWatch&) = delete;

    /// From now on these are watched, and no others. What happens after it has returned is noticed.
    void watch(Watched watched);

    /// Whether somebody is writing to the file of a watched directory, as far as was noticed.
    [[nodiscard]] bool isBeingWritten(const std::string& file) const;

    /// Calls nobody any more, after a call in progress.
    void stop();

private:
    using Clock = std::chrono::steady_clock;

    /// What is of interest in one directory.
    struct Place {
        std::string path;
        std::set<std::string> steps;               ///< names that the way to something watched goes through
        std::map<std::string, std::string> files;  ///< watched files, by name
        std::set<std::string> plugins;             ///< the watched directories that it is

        [[nodiscard]] bool has(const std::string& file) const;
    };

    void begin();
    void lookAgain();
    void addPlaces();
    [[nodiscard]] std::vector<trust::Step> allSteps() const;
    Place* place(const std::string& directory, std::uint32_t events);

    void run(const std::stop_token& stopping);
    [[nodiscard]] int patience() const;
    void readEvents();
    void take(const inotify_event& event);
    void takeFile(const std::string& file, std::uint32_t events);
    void settle(const std::string& file);
    [[nodiscard]] bool takeDue();

    Logger& log_;
    const Changed changed_;
    const FileDescriptor wake_;
    mutable std::mutex mutex_;  ///< guards what follows
    std::optional<FileDescriptor> inotify_;
    Watched watched_;
    std::map<int, Place> places_;  ///< by inotify's number
    bool complete_ = false;        ///< whether all places could be watched
    bool moved_ = false;           ///< whether the places may be others by now
    std::set<std::string> beingWritten_;
    std::map<std::string, Clock::time_point> settling_;  ///< when to tell of a file unless more happens to it
    bool due_ = false;                                   ///< whether there is something to tell at once
    bool stopped_ = false;
    std::jthread thread_;
};

}  // namespace sallyport::host::plugins
