#include "host/entry/entry.h"

#include <mutex>

#include <sallyport/error_text.h>

#include "host/entry/alternate_stack.h"
#include "host/log/attempt.h"

namespace sallyport::host::entry {

namespace {

constinit thread_local const Entry* innermostHere = nullptr;

/// The entries of one thread, for others to look at.
struct Thread {
    Thread();
    ~Thread();
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;

    std::mutex mutex;
    const Entry* innermost = nullptr;  ///< under the lock
    Thread* previous = nullptr;        ///< under the lock of Threads
    Thread* next = nullptr;            ///< under the lock of Threads
    AlternateStack stack;              ///< a plugin may use up the thread's own
};

Thread& thisThread() {
    thread_local Thread thread;
    return thread;
}

}  // namespace

/// All threads that have entered a plugin. Never destroyed: threads may end after all else.
class Threads {
public:
    static Threads& all() {
        static auto* const threads = new Threads;
        return *threads;
    }

    void add(Thread& thread) {
        const std::lock_guard lock(mutex_);
        thread.next = first_;
        if (first_ != nullptr) {
            first_->previous = &thread;
        }
        first_ = &thread;
    }

    void remove(Thread& thread) {
        const std::lock_guard lock(mutex_);
        (thread.previous != nullptr ? thread.previous->next : first_) = thread.next;
        if (thread.next != nullptr) {
            thread.next->previous = thread.previous;
        }
    }

    enum class Which { all, untold };

    std::vector<Running> longerThan(std::chrono::milliseconds limit, Which which) {
        std::vector<Running> found;
        const auto now = Entry::Clock::now();
        const std::lock_guard lock(mutex_);
        for (auto* thread = first_; thread != nullptr; thread = thread->next) {
            const std::lock_guard threadLock(thread->mutex);
            for (const auto* entry = thread->innermost; entry != nullptr; entry = entry->outer_) {
                if (now - entry->began_ < limit || (which == Which::untold && entry->told_)) {
                    continue;
                }
                found.push_back(seen(*entry, now));
                if (which == Which::untold) {
                    entry->told_ = true;
                }
            }
        }
        return found;
    }

private:
    static Running seen(const Entry& entry, Entry::Clock::time_point now) {
        Running running{entry.plugin().name, entry.plugin().version, entry.callback(), {}, {}, {}, {}};
        running.time = std::chrono::duration_cast<std::chrono::milliseconds>(now - entry.began_);
        if (const auto& origin = entry.origin()) {
            running.route = origin->label;
            running.request = origin->id;
            running.job = origin->job;
        }
        return running;
    }

    std::mutex mutex_;
    Thread* first_ = nullptr;
};

namespace {

Thread::Thread() {
    Threads::all().add(*this);
}

Thread::~Thread() {
    Threads::all().remove(*this);
}

}  // namespace

Entry::Entry(const Plugin& plugin, const char* callback, Origin origin) noexcept
    : plugin_(plugin),
      callback_(callback),
      outer_(innermostHere),
      origin_(origin || outer_ == nullptr ? std::move(origin) : outer_->origin_),
      began_(Clock::now()) {
    auto& thread = thisThread();
    {
        const std::lock_guard lock(thread.mutex);
        thread.innermost = this;
    }
    innermostHere = this;
}

Entry::~Entry() {
    innermostHere = outer_;
    auto& thread = thisThread();
    bool told = false;
    {
        const std::lock_guard lock(thread.mutex);
        thread.innermost = outer_;
        told = told_;
    }
    if (!told || plugin_.log == nullptr) {
        return;
    }
    log::attempt([this] {
        const auto time =
            std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_).count();
        constexpr const char* message = "a plugin's code has returned at last";
        if (origin_ && origin_->job) {
            plugin_.log->warn(message, {{"plugin", plugin_.name},
                                        {"callback", callback_},
                                        {"request", origin_->id},
                                        {"job", origin_->job->str()},
                                        {"milliseconds", time}});
        } else if (origin_) {
            plugin_.log->warn(message, {{"plugin", plugin_.name},
                                        {"callback", callback_},
                                        {"request", origin_->id},
                                        {"milliseconds", time}});
        } else {
            plugin_.log->warn(message,
                              {{"plugin", plugin_.name}, {"callback", callback_}, {"milliseconds", time}});
        }
    });
}

const Entry* Entry::innermost() noexcept {
    return innermostHere;
}

Origin Entry::currentOrigin() {
    return innermostHere != nullptr ? innermostHere->origin_ : nullptr;
}

std::vector<Running> running(std::chrono::milliseconds atLeast) {
    return Threads::all().longerThan(atLeast, Threads::Which::all);
}

std::vector<Running> newlySlow(std::chrono::milliseconds atLeast) {
    return Threads::all().longerThan(atLeast, Threads::Which::untold);
}

void logFailure(const Entry& entry, const std::exception_ptr& error) noexcept {
    auto* const logger = entry.plugin().log;
    if (logger == nullptr) {
        return;
    }
    log::attempt([&] {
        const auto& origin = entry.origin();
        if (origin && origin->job) {
            logger->error("a plugin's callback failed", {{"plugin", entry.plugin().name},
                                                         {"callback", entry.callback()},
                                                         {"route", origin->label},
                                                         {"request", origin->id},
                                                         {"job", origin->job->str()},
                                                         {"error", errorText(error)}});
        } else if (origin) {
            logger->error("a plugin's callback failed", {{"plugin", entry.plugin().name},
                                                         {"callback", entry.callback()},
                                                         {"route", origin->label},
                                                         {"request", origin->id},
                                                         {"error", errorText(error)}});
        } else {
            logger->error("a plugin's callback failed", {{"plugin", entry.plugin().name},
                                                         {"callback", entry.callback()},
                                                         {"error", errorText(error)}});
        }
    });
}

}  // namespace sallyport::host::entry
