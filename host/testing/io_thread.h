// An event loop for tests of what runs on one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <sallyport/ext/io.h>
#include <sallyport/file_descriptor.h>
#include <sallyport/log.h>

#include "host/http/loop.h"

namespace sallyport::testing {

/// A loop without connections, on a thread of its own. What comes out of a task, a watch or a timer ends the
/// process, so it is for those that are guarded, as a PluginLoop's are.
class IoThread final : public host::http::Loop {
public:
    IoThread();
    /// Runs what was posted before, and ends the thread.
    ~IoThread() override;
    IoThread(const IoThread&) = delete;
    IoThread& operator=(const IoThread&) = delete;

    [[nodiscard]] bool isCurrent() const noexcept override;
    void post(host::http::Task task) override;
    [[nodiscard]] std::uint64_t newNumber() override { return ++numbers_; }
    [[nodiscard]] host::http::Watches& watches() noexcept override { return watches_; }
    [[nodiscard]] host::http::Timers& timers() noexcept override { return timers_; }

private:
    void run();
    [[nodiscard]] int timeout() const;
    [[nodiscard]] std::vector<host::http::Task> takeTasks();

    const FileDescriptor epoll_;
    const FileDescriptor wakeup_;
    std::mutex mutex_;
    std::vector<host::http::Task> tasks_;  ///< guarded by mutex_

    // The thread's own.
    bool stopping_ = false;
    std::uint64_t numbers_ = 0;
    host::http::Watches watches_;
    host::http::Timers timers_;

    std::thread thread_;
};

/// As many loops as that, each on its thread and as a plugin called `test` has it.
/// @param log is told what its callbacks throw, and outlives the loops.
[[nodiscard]] std::vector<std::shared_ptr<IoLoop>> ioThreads(std::size_t count, Logger& log);

}  // namespace sallyport::testing
