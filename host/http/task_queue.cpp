#include "host/http/task_queue.h"

#include <algorithm>
#include <utility>

namespace sallyport::host::http {

bool TaskQueue::push(const Origin& origin, Task& task) {
    const auto lane = index(origin.lane);
    auto& queue = queues_[lane];
    const auto left = places_ - queue.waiting;
    const auto known = queue.accounts.find(origin.account);
    const auto ofAccount = known == queue.accounts.end() ? 0 : known->second.tasks.size();
    const auto loaded = plugins_.find(origin.plugin);
    const auto ofPlugin = loaded == plugins_.end() ? 0 : loaded->second.waiting[lane];
    if (std::max(ofAccount, ofPlugin) >= left)
        return false;
    const auto account = queue.accounts.try_emplace(origin.account).first;
    const auto plugin = plugins_.try_emplace(origin.plugin).first;
    if (account->second.tasks.empty())
        queue.turns.push_back(&*account);
    account->second.tasks.push_back({&*plugin, std::move(task)});
    ++plugin->second.waiting[lane];
    ++queue.waiting;
    ++waiting_;
    return true;
}

std::optional<std::size_t> TaskQueue::runnable(Lane lane, const Account& account) const {
    if (lane == Lane::worker && account.running >= share_)
        return std::nullopt;
    for (std::size_t i = 0; i < account.tasks.size(); ++i) {
        if (account.tasks[i].plugin->second.running < share_)
            return i;
    }
    return std::nullopt;
}

bool TaskQueue::ready() const {
    for (std::size_t lane = 0; lane < lanes && waiting_ > 0; ++lane) {
        const auto& turns = queues_[lane].turns;
        if (std::any_of(turns.begin(), turns.end(), [&](const auto* turn) {
                return runnable(static_cast<Lane>(lane), turn->second).has_value();
            }))
            return true;
    }
    return false;
}

std::optional<TaskQueue::Taken> TaskQueue::take() {
    for (std::size_t i = 0; i < lanes && waiting_ > 0; ++i) {
        turn_ = (turn_ + 1) % lanes;
        if (auto taken = takeFrom(static_cast<Lane>(turn_)))
            return taken;
    }
    return std::nullopt;
}

std::optional<TaskQueue::Taken> TaskQueue::takeFrom(Lane lane) {
    auto& queue = queues_[index(lane)];
    for (auto turn = queue.turns.begin(); turn != queue.turns.end(); ++turn) {
        auto& [name, account] = **turn;
        const auto position = runnable(lane, account);
        if (!position)
            continue;
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
        if (!account.tasks.empty())
            queue.turns.push_back(again);
        return taken;
    }
    return std::nullopt;
}

void TaskQueue::ended(const Origin& origin) {
    auto& accounts = queues_[index(origin.lane)].accounts;
    const auto account = accounts.find(origin.account);
    if (--account->second.running == 0 && account->second.tasks.empty())
        accounts.erase(account);
    const auto plugin = plugins_.find(origin.plugin);
    if (--plugin->second.running == 0 && plugin->second.waiting == decltype(Plugin::waiting){})
        plugins_.erase(plugin);
}

}  // namespace sallyport::host::http
