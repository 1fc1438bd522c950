#include "host/http/task_queue.h"

#include <algorithm>
#include <utility>

namespace sallyport::host::http {

bool TaskQueue::push(const Origin& origin, Task& task) {
    const auto lane = index(origin.lane);
    auto& queue = queues_[lane];
    const auto left = limits_.places - queue.waiting;
    const auto known = queue.accounts.find(origin.account);
    const auto ofAccount = known == queue.accounts.end() ? 0 : known->second.tasks.size();
    const auto loaded = plugins_.find(origin.plugin);
    const auto ofPlugin = loaded == plugins_.end() ? 0 : loaded->second.waiting[lane];
    if (std::max(ofAccount, ofPlugin) >= left) {
        return false;
    }
    const auto account = queue.accounts.try_emplace(origin.account).first;
    const auto plugin = plugins_.try_emplace(origin.plugin).first;
    if (account->second.tasks.empty()) {
        queue.turns.push_back(&*account);
    }
    account->second.tasks.push_back({&*plugin, std::move(task)});
    ++plugin->second.waiting[lane];
    ++queue.waiting;
    ++waiting_;
    return true;
}

std::optional<std::size_t> TaskQueue::runnable(Lane lane, const Account& account, bool crowded,
                                               Clock::time_point now) const {
    const bool rests = crowded && account.time.due() > now;
    if (lane == Lane::worker && (account.running >= limits_.running || rests)) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < account.tasks.size(); ++i) {
        if (account.tasks[i].plugin->second.running < limits_.running) {
            return i;
        }
    }
    return std::nullopt;
}

bool TaskQueue::isCrowded(Clock::time_point now) const {
    return !hurried_ && limits_.crowd != nullptr && limits_.crowd->isThere(now);
}

bool TaskQueue::ready(Clock::time_point now) const {
    const bool crowded = isCrowded(now);
    for (std::size_t lane = 0; lane < lanes && waiting_ > 0; ++lane) {
        const auto& turns = queues_[lane].turns;
        if (std::any_of(turns.begin(), turns.end(), [&](const auto* turn) {
                return runnable(static_cast<Lane>(lane), turn->second, crowded, now).has_value();
            })) {
            return true;
        }
    }
    return false;
}

TaskQueue::Clock::time_point TaskQueue::rested(Clock::time_point now) const {
    auto first = Clock::time_point::max();
    if (!isCrowded(now)) {
        return first;
    }
    for (const auto* turn : queues_[index(Lane::worker)].turns) {
        const auto due = turn->second.time.due();
        if (due > now) {
            first = std::min(first, due);
        }
    }
    return first;
}

std::optional<TaskQueue::Taken> TaskQueue::take(Clock::time_point now) {
    for (std::size_t i = 0; i < lanes && waiting_ > 0; ++i) {
        turn_ = (turn_ + 1) % lanes;
        if (auto taken = takeFrom(static_cast<Lane>(turn_), now)) {
            return taken;
        }
    }
    return std::nullopt;
}

std::optional<TaskQueue::Taken> TaskQueue::takeFrom(Lane lane, Clock::time_point now) {
    auto& queue = queues_[index(lane)];
    const bool crowded = isCrowded(now);
    for (auto turn = queue.turns.begin(); turn != queue.turns.end(); ++turn) {
        auto& [name, account] = **turn;
        const auto position = runnable(lane, account, crowded, now);
        if (!position) {
            continue;
        }
        const auto found = account.tasks.begin() + static_cast<std::ptrdiff_t>(*position);
        auto& [pluginName, plugin] = *found->plugin;
        Taken taken{{lane, name, pluginName}, std::move(found->task)};
        account.tasks.erase(found);
        ++account.running;
        ++plugin.running;
        --plugin.waiting[index(lane)];
        --queue.waiting;
        --waiting_;
        const auto again = *turn;
        queue.turns.erase(turn);
        if (!account.tasks.empty()) {
            queue.turns.push_back(again);
        }
        return taken;
    }
    return std::nullopt;
}

void TaskQueue::ended(const Origin& origin, Clock::duration used, Clock::time_point now) {
    auto& accounts = queues_[index(origin.lane)].accounts;
    const auto account = accounts.find(origin.account);
    auto& time = account->second.time;
    if (origin.lane == Lane::worker && limits_.jobShare < 100) {
        time.used(used, now, limits_.jobShare);
    }
    if (--account->second.running == 0 && account->second.tasks.empty() && time.isFresh(now)) {
        accounts.erase(account);
    }
    if (accounts.size() > manyAccounts_) {
        forgetRested(accounts, now);
    }
    const auto plugin = plugins_.find(origin.plugin);
    if (--plugin->second.running == 0 && plugin->second.waiting == decltype(Plugin::waiting){}) {
        plugins_.erase(plugin);
    }
}

/// Not at each end of a task, which takes as long as there are jobs.
void TaskQueue::forgetRested(Accounts& accounts, Clock::time_point now) {
    std::erase_if(accounts, [now](const auto& account) {
        return account.second.running == 0 && account.second.tasks.empty() &&
               account.second.time.isFresh(now);
    });
    manyAccounts_ = 2 * accounts.size() + 64;
}

}  // namespace sallyport::host::http
