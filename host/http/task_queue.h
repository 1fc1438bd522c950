// Which task a pool thread takes next.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "host/http/task.h"
#include "host/http/time_share.h"

namespace sallyport::host::http {

/// Each has places and turns of its own, so that a flood of work from sandboxes does not keep an operator
/// waiting.
enum class Lane { worker, operators, background };

/// On whose behalf a task runs, and whose code.
struct Origin {
    Lane lane = Lane::background;
    std::string account;  ///< among which a lane is shared: a job, a user, a plugin
    std::string plugin;   ///< as its gate names it
};

/// The tasks of a WorkerPool that wait. Lanes take turns, and the accounts within a lane do. No plugin has
/// more than its share running, and no job either. A job that has used up its share of the processor's time
/// rests until that is made up for. Whoever has more tasks waiting in a lane than the lane has places left
/// gets no further one: there is always room for who has none. [one thread at a time]
class TaskQueue {
public:
    using Clock = TimeShare::Clock;

    struct Taken {
        Origin origin;
        Task task;
    };

    struct Limits {
        std::size_t running;      ///< tasks of one plugin, and of one job, that may run at once; at least 1
        std::size_t places;       ///< tasks that may wait in one lane
        unsigned jobShare = 100;  ///< percent of one thread's time that a job may have
        const Crowd* crowd =
            nullptr;  ///< while it is not there, a job may have all; null: the same. Outlives this
    };

    explicit TaskQueue(const Limits& limits) : limits_(limits) {}

    /// @return false, and the task as it was, when there is no place for it.
    [[nodiscard]] bool push(const Origin& origin, Task& task);

    /// The task whose turn it is. It counts as running until `ended`. Nothing when none waits, or only such
    /// whose plugin or job has its share.
    [[nodiscard]] std::optional<Taken> take(Clock::time_point now);
    /// @param used of the processor's time.
    void ended(const Origin& origin, Clock::duration used, Clock::time_point now);

    /// Whether `take` would find one.
    [[nodiscard]] bool ready(Clock::time_point now) const;
    /// When the first of the resting jobs with a task that waits has rested enough; never, if there is none.
    [[nodiscard]] Clock::time_point rested(Clock::time_point now) const;
    /// Whether nobody rests from now on.
    void hurry(bool hurried) noexcept { hurried_ = hurried; }
    /// Those that are remembered.
    [[nodiscard]] std::size_t jobs() const { return queues_[index(Lane::worker)].accounts.size(); }
    /// Also those that may not run yet.
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }

private:
    static constexpr std::size_t lanes = 3;

    struct Plugin {
        std::size_t running = 0;
        std::array<std::size_t, lanes> waiting{};
    };
    using Plugins = std::unordered_map<std::string, Plugin>;
    struct Waiting {
        Plugins::pointer plugin;
        Task task;
    };
    struct Account {
        std::size_t running = 0;
        std::deque<Waiting> tasks;  ///< oldest first
        TimeShare time;
    };
    using Accounts = std::unordered_map<std::string, Account>;
    struct Queue {
        Accounts accounts;                    ///< those with a task that runs or waits, or that rest
        std::deque<Accounts::pointer> turns;  ///< those with one that waits; the first is next
        std::size_t waiting = 0;
    };

    [[nodiscard]] static std::size_t index(Lane lane) noexcept { return static_cast<std::size_t>(lane); }
    /// The position of the account's first task that may run; nothing if there is none.
    [[nodiscard]] std::optional<std::size_t> runnable(Lane lane, const Account& account, bool crowded,
                                                      Clock::time_point now) const;
    [[nodiscard]] std::optional<Taken> takeFrom(Lane lane, Clock::time_point now);
    [[nodiscard]] bool isCrowded(Clock::time_point now) const;
    void forgetRested(Accounts& accounts, Clock::time_point now);

    const Limits limits_;
    Plugins plugins_;  ///< those with a task that runs or waits
    std::array<Queue, lanes> queues_;
    std::size_t turn_ = 0;
    bool hurried_ = false;
    std::size_t manyAccounts_ = 64;  ///< in the lane of workers
    std::size_t waiting_ = 0;
};

}  // namespace sallyport::host::http
