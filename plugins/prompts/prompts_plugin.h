// Prompts: what an operator has to say to a job that is running.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <sallyport/ext/metrics.h>
#include <sallyport/plugin.h>

#include "prompt_queues.h"
#include "prompt_table.h"

namespace sallyport::plugins {

inline constexpr Setting promptsSettings[] = {
    {"max_size", SettingKind::size, "1MiB", "Largest content of one prompt; a larger one is refused with 413",
     1},
    {"max_queued", SettingKind::integer, "1000",
     "Prompts that may wait for one job; more are refused with 429", 1},
};

/// Queues prompts for jobs (`POST /jobs/{job_id}/prompt`) and hands them to their workers (`GET /prompt`),
/// oldest first.
///
/// A prompt is in the table before the operator is answered, and is taken out of it once its bytes have been
/// handed to the network. If the connection fails before that, it goes back to the front of the queue. A
/// worker thus gets each prompt exactly once, except where the machine dies between the two: then it gets
/// that prompt again, because a prompt that comes twice does less harm than one that is lost.
class PromptsPlugin final : public Plugin {
public:
    void start(Host& host) override;
    void stop() override;
    [[nodiscard]] std::optional<std::string> trouble() const override;

private:
    Reply push(const Call& call);
    Reply next(const Call& call);
    [[nodiscard]] std::optional<Reply> deliver(const JobId& job);
    void settle(const JobId& job, PromptQueues::Delivery& delivery, bool delivered);
    void finished(const JobId& job);
    void load();
    void remove(std::function<void(Transaction&)> rows);
    void removed(const std::exception_ptr& problem);

    Host* host_ = nullptr;
    Counter* queued_ = nullptr;
    Counter* delivered_ = nullptr;
    std::optional<PromptTable> table_;
    PromptQueues queues_;
    std::size_t maxSize_ = 0;
    std::size_t maxQueued_ = 0;
    std::atomic<bool> removalFailed_{false};
    std::mutex mutex_;
    std::condition_variable removed_;
    std::size_t removals_ = 0;  ///< on their way to the disk; guarded by mutex_
};

}  // namespace sallyport::plugins
