// An event loop for tests of what runs on one.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <sallyport/ext/io.h>
#include <sallyport/file_descriptor.h>

namespace sallyport::testing {

/// An IoLoop without connections, on a thread of its own. An exception that comes out of a callback ends the
/// process: nobody could act on it.
class IoThread final : public IoLoop {
public:
    IoThread();
    /// Runs what was posted before, and ends the thread.
    ~IoThread() override;
    IoThread(const IoThread&) = delete;
    IoThread& operator=(const IoThread&) = delete;

    [[nodiscard]] bool isCurrent() const noexcept override;
    void post(std::function<void()> task) override;
    void watch(int descriptor, std::function<void()> readable) override;
    void unwatch(int descriptor) override;

    /// Runs what was posted before, and watches nothing any more. [any thread but its own]
    void endWatches();

private:
    void run();
    void runTasks();

    const FileDescriptor epoll_;
    const FileDescriptor wakeup_;
    std::mutex mutex_;
    std::vector<std::function<void()>> tasks_;                       ///< guarded by mutex_
    bool stopping_ = false;                                          ///< the thread's own
    std::map<int, std::shared_ptr<std::function<void()>>> watches_;  ///< the thread's own
    std::thread thread_;
};

/// As many loops as that.
[[nodiscard]] std::vector<std::shared_ptr<IoLoop>> ioThreads(std::size_t count);

}  // namespace sallyport::testing
