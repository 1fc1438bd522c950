#include "prompts_plugin.h"

#include <chrono>
#include <utility>

#include <sallyport/error_text.h>
#include <sallyport/errors.h>
#include <sallyport/json_writer.h>

namespace sallyport::plugins {

namespace {

constexpr std::int64_t longestWait = 60;  // seconds

std::string topicOf(const JobId& job) {
    return "prompts/" + job.str();
}

}  // namespace

void PromptsPlugin::start(Host& host) {
    host_ = &host;
    maxSize_ = host.settings().size("max_size");
    maxQueued_ = static_cast<std::size_t>(host.settings().integer("max_queued"));
    table_.emplace(host.store());
    auto& metrics = host.require<Metrics>();
    queued_ = &metrics.counter("queued_total", "Prompts that were taken for workers");
    delivered_ = &metrics.counter("delivered_total", "Prompts that workers got");
    host.bus().subscribe<JobFinished>([this](const JobFinished& message) { finished(message.job); });
    load();
    // Reading uses a prompt up, which a HEAD must not.
    host.routes().worker("GET", "/prompt", [this](const Call& call) { return next(call); },
                         {.run = Run::loop, .head = false});
    host.routes().operators("POST", "/jobs/{job_id}/prompt", [this](const Call& call) { return push(call); });
}

/// A prompt that was delivered must be gone from the table before whoever comes next reads it.
void PromptsPlugin::stop() {
    std::unique_lock lock(mutex_);
    removed_.wait(lock, [this] { return removals_ == 0; });
}

std::optional<std::string> PromptsPlugin::trouble() const {
    if (removalFailed_) {
        return "a prompt that was delivered could not be removed from the database; a restart would deliver "
               "it again";
    }
    return std::nullopt;
}

/// Reads what an earlier run left. What it left of jobs that have ended is of no use any more.
void PromptsPlugin::load() {
    for (const JobId& job : table_->jobs()) {
        // Keeps the queue, so that the job's end is noticed from here on.
        const auto watch = queues_.reserve(job);
        const auto known = host_->jobs().find(job);
        if (!known || isOver(known->state)) {
            remove([job](Transaction& transaction) { PromptTable::removeAll(transaction, job); });
            continue;
        }
        for (Prompt& prompt : table_->of(job)) {
            if (!queues_.reserve(job)->fill(std::move(prompt))) {
                break;  // it has ended just now
            }
        }
    }
}

Reply PromptsPlugin::push(const Call& call) {
    const JobId job = call.jobId();
    // Before the look at the job's state: from here on its end is noticed, up to then it is seen.
    const auto place = queues_.reserve(job);
    const auto known = host_->jobs().find(job);
    if (!known || !call.caller().mayAccess(known->user)) {
        throw notFound("there is no such job");
    }
    const json::Object body = call.json();
    std::string content = body.string("content");
    const bool done = body.optionalBoolean("done").value_or(false);
    // Nothing to say is fine where it says that nothing more will come.
    if (content.empty() && !done) {
        throw invalidField("content", "must not be empty");
    }
    if (content.size() > maxSize_) {
        throw tooLarge("the prompt has more than " + std::to_string(maxSize_) + " bytes");
    }
    if (isOver(known->state)) {
        throw conflict("job_over", "the job has ended and takes no prompts");
    }
    if (place->position() > maxQueued_) {
        throw RequestError(429, "queue_full",
                           "the job has " + std::to_string(maxQueued_) + " prompts waiting already");
    }

    struct Pushed {
        std::vector<SqlValue> row;
        Prompt prompt;
    };
    const auto pushed = std::make_shared<Pushed>();
    pushed->row = PromptTable::row(job, content, done);
    pushed->prompt = {0, std::move(content), done};
    return Reply::whenStored(
        host_->store(),
        [pushed](Transaction& transaction) {
            pushed->prompt.id = PromptTable::insert(transaction, pushed->row);
        },
        [this, job, place, pushed] {
            const std::int64_t id = pushed->prompt.id;
            if (!place->fill(std::move(pushed->prompt))) {
                remove([id](Transaction& transaction) { PromptTable::remove(transaction, id); });
                throw conflict("job_over", "the job has ended and takes no prompts");
            }
            queued_->add();
            host_->bus().wake(topicOf(job));
            return Reply::json(200, [&](json::Writer& answer) {
                answer.member("status", "queued").member("job_id", job.str()).member("prompt_id", id);
            });
        });
}

Reply PromptsPlugin::next(const Call& call) {
    const JobId& job = call.caller().job();
    const std::int64_t wait = call.rawQuery().empty() ? 0 : call.queryInteger("wait", 0, longestWait, 0);
    if (auto reply = deliver(job)) {
        return *std::move(reply);
    }
    if (wait == 0) {
        return Reply::empty(204);
    }
    return Reply::waitFor(
        topicOf(job), std::chrono::seconds(wait), [this, job] { return deliver(job); }, Reply::empty(204));
}

std::optional<Reply> PromptsPlugin::deliver(const JobId& job) {
    auto delivery = queues_.take(job);
    if (!delivery) {
        return std::nullopt;
    }
    const Prompt& prompt = delivery->prompt();
    return Reply::json(200,
                       [&prompt](json::Writer& answer) {
                           answer.member("content", prompt.content).member("done", prompt.done);
                       })
        .onDelivered([this, job, delivery](bool delivered) { settle(job, *delivery, delivered); });
}

void PromptsPlugin::settle(const JobId& job, PromptQueues::Delivery& delivery, bool delivered) {
    if (delivered) {
        const std::int64_t id = delivery.prompt().id;
        delivery.delivered();
        delivered_->add();
        remove([id](Transaction& transaction) { PromptTable::remove(transaction, id); });
    } else if (delivery.putBack()) {
        host_->bus().wake(topicOf(job));
    }
}

/// On the store's thread. A job that has no queue has no rows either.
void PromptsPlugin::finished(const JobId& job) {
    if (queues_.close(job)) {
        remove([job](Transaction& transaction) { PromptTable::removeAll(transaction, job); });
    }
}

void PromptsPlugin::remove(std::function<void(Transaction&)> rows) {
    {
        const std::lock_guard lock(mutex_);
        ++removals_;
    }
    try {
        host_->store().submit(std::move(rows),
                              [this](const std::exception_ptr& problem) { removed(problem); });
    } catch (const StoreError&) {
        removed(std::current_exception());
    }
}

void PromptsPlugin::removed(const std::exception_ptr& problem) {
    removalFailed_ = problem != nullptr;
    if (problem) {
        host_->log().error(
            "a prompt could not be removed from the database; a restart would deliver it again",
            {{"reason", errorText(problem)}});
    }
    const std::lock_guard lock(mutex_);
    if (--removals_ == 0) {
        removed_.notify_all();
    }
}

}  // namespace sallyport::plugins
