#include "host/daemon/reloader.h"

#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace sallyport::host {

Reloader::Reloader(Reload reload)
    : reload_(std::move(reload)), thread_([this](const std::stop_token& stopping) { run(stopping); }) {}

Reloader::~Reloader() {
    stop();
}

bool Reloader::request(Done done) {
    {
        const std::lock_guard lock(mutex_);
        if (stopped_) {
            return false;
        }
        waiting_.push_back(std::move(done));
    }
    asked_.notify_one();
    return true;
}

plugins::ReloadReport Reloader::reload() {
    // Shared, because who waits may have gone on before the other thread has let go of it.
    const auto promise = std::make_shared<std::promise<plugins::ReloadReport>>();
    auto outcome = promise->get_future();
    const bool accepted =
        request([promise](const plugins::ReloadReport* report, const std::exception_ptr& problem) {
            if (report != nullptr) {
                promise->set_value(*report);
            } else {
                promise->set_exception(problem);
            }
        });
    if (!accepted) {
        throw std::runtime_error("the daemon is stopping");
    }
    return outcome.get();
}

void Reloader::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    thread_.request_stop();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Reloader::run(const std::stop_token& stopping) {
    for (;;) {
        std::vector<Done> waiting;
        {
            std::unique_lock lock(mutex_);
            asked_.wait(lock, stopping, [this] { return !waiting_.empty(); });
            waiting.swap(waiting_);
        }
        if (stopping.stop_requested()) {
            for (const auto& done : waiting) {
                done(nullptr, std::make_exception_ptr(std::runtime_error("the daemon is stopping")));
            }
            return;
        }
        serve(waiting);
    }
}

void Reloader::serve(const std::vector<Done>& waiting) {
    std::optional<plugins::ReloadReport> report;
    std::exception_ptr problem;
    try {
        report = reload_();
    } catch (...) {
        problem = std::current_exception();
    }
    for (const auto& done : waiting) {
        done(report ? &*report : nullptr, problem);
    }
}

}  // namespace sallyport::host
