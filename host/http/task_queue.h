// Which task a pool thread takes next.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "host/http/task.h"

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
/// more than its share running, and no job either. Whoever has more tasks waiting in a lane than the lane has
/// places left gets no further one: there is always room for who has none. [one thread at a time]
class TaskQueue {
public:
    struct Taken {
        Origin origin;
        Task task;
    };

    /// @param share  tasks of one plugin, and of one account in the lane of workers, that may run at once; at
    ///               least 1.
    /// @param places tasks that may wait in one lane.
    TaskQueue(std::size_t share, std::size_t places) : share_(share), places_(places) {}

    /// @return false, and the task as it was, when there is no place for it.
    [[nodiscard]] bool push(const Origin& origin, Task& task);

    /// The task whose turn it is. It counts as running until `ended`. Nothing when none waits, or only such
    /// whose plugin or job has its share.
    [[nodiscard]] std::optional<Taken> take();
    void ended(const Origin& origin);

    /// Whether `take` would find one.
    [[nodiscard]] bool ready() const;
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
    };
    using Accounts = std::unordered_map<std::string, Account>;
    struct Queue {
        Accounts accounts;                    ///< those with a task that runs or waits
        std::deque<Accounts::pointer> turns;  ///< those with one that waits; the first is next
        std::size_t waiting = 0;
    };

    [[nodiscard]] static std::size_t index(Lane lane) noexcept { return static_cast<std::size_t>(lane); }
    /// The position of the account's first task that may run; nothing if there is none.
    [[nodiscard]] std::optional<std::size_t> runnable(Lane lane, const Account& account) const;
    [[nodiscard]] std::optional<Taken> takeFrom(Lane lane);

    const std::size_t share_;
    const std::size_t places_;
    Plugins plugins_;  ///< those with a task that runs or waits
    std::array<Queue, lanes> queues_;
    std::size_t turn_ = 0;
    std::size_t waiting_ = 0;
};

}  // namespace sallyport::host::http
