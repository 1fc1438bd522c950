// The thread on which plugins and settings are reloaded.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "host/plugins/plugin_set.h"

namespace sallyport::host {

/// Reloads one after the other, on a thread of its own: a reload waits for calls that are in progress, and so
/// must not take a thread from them. Whoever asks while one is under way is served by the next, together with
/// all others who do. [any thread]
class Reloader {
public:
    using Reload = std::function<plugins::ReloadReport()>;
    /// What came of it: a report, or why there is none.
    using Done = std::function<void(const plugins::ReloadReport*, const std::exception_ptr&)>;

    explicit Reloader(Reload reload);
    /// As `stop`.
    ~Reloader();
    Reloader(const Reloader&) = delete;
    Reloader& operator=(const Reloader&) = delete;

    /// Calls `done` on the reloader's thread after a reload that has begun after this call. Never blocks.
    /// @return false when no more are made; then `done` is not called.
    [[nodiscard]] bool request(Done done);

    /// Waits for a reload that has begun after this call. Not from within one.
    /// @throws what the reload throws; std::runtime_error when no more are made.
    plugins::ReloadReport reload();

    /// Makes no more, after the one under way. Those who wait for another are told.
    void stop();

private:
    void run(const std::stop_token& stopping);
    void serve(const std::vector<Done>& waiting);

    const Reload reload_;
    std::mutex mutex_;
    std::condition_variable_any asked_;
    std::vector<Done> waiting_;  ///< guarded by mutex_
    bool stopped_ = false;       ///< guarded by mutex_
    std::jthread thread_;
};

}  // namespace sallyport::host
