#include "host/http/turns.h"

#include <algorithm>
#include <utility>

namespace sallyport::host::http {

namespace {

/// Nobody needs much to be refused.
constexpr unsigned strangersShare(unsigned share) {
    return std::max(share / 4, 1U);
}

}  // namespace

Turns::Turn& Turns::of(ConnectionId connection, Account account) {
    const auto found = waiting_.find(connection);
    if (found != waiting_.end())
        return found->second;
    // The turn last: a place in a line without one, where memory ends in between, is passed over.
    auto& line = lines_[account].connections;
    if (line.empty())
        accounts_.push_back(account);
    line.push_back(connection);
    auto& turn = waiting_[connection];
    turn.connection = connection;
    turn.account = account;
    return turn;
}

std::optional<Turns::Turn> Turns::take(Clock::time_point now) {
    const bool crowded = crowd_.isThere(now);
    while (!held_.empty() && (held_.begin()->first <= now || !crowded)) {
        accounts_.push_back(held_.begin()->second);
        held_.erase(held_.begin());
    }
    while (!accounts_.empty()) {
        const auto account = accounts_.front();
        auto& line = lines_[account];
        const auto due = line.time.due();
        if (crowded && due > now) {
            held_.emplace(due, account);
            accounts_.pop_front();
            continue;
        }
        accounts_.pop_front();
        if (auto turn = takeFrom(account, line))
            return turn;
    }
    return std::nullopt;
}

std::optional<Turns::Turn> Turns::takeAny() {
    while (!accounts_.empty() || !held_.empty()) {
        if (accounts_.empty()) {
            accounts_.push_back(held_.begin()->second);
            held_.erase(held_.begin());
        }
        const auto account = accounts_.front();
        accounts_.pop_front();
        if (auto turn = takeFrom(account, lines_[account]))
            return turn;
    }
    return std::nullopt;
}

/// The account is in no other place now, and comes last if it has more waiting.
std::optional<Turns::Turn> Turns::takeFrom(Account account, Line& line) {
    auto& connections = line.connections;
    while (!connections.empty()) {
        auto turn = waiting_.extract(connections.front());
        connections.pop_front();
        if (!turn)
            continue;
        if (!connections.empty())
            accounts_.push_back(account);
        return std::move(turn.mapped());
    }
    return std::nullopt;
}

void Turns::took(Account account, Clock::duration time, Clock::time_point now) {
    // Who that will turn out to be is not known: it may be a further connection of a job that is alone.
    if (account == newcomersAccount)
        return;
    crowd_.had(account, now);
    if (share_ < 100 && account != operatorsAccount)
        lines_[account].time.used(time, now, isOfStrangers(account) ? strangersShare(share_) : share_);
    if (lines_.size() > manyLines_)
        forgetIdle(now);
}

/// Not at each look, which takes as long as there are accounts.
void Turns::forgetIdle(Clock::time_point now) {
    std::erase_if(lines_, [now](const auto& line) {
        return line.second.connections.empty() && line.second.time.isFresh(now);
    });
    manyLines_ = 2 * lines_.size() + 64;
}

Turns::Clock::time_point Turns::due() const {
    if (!accounts_.empty())
        return {};
    return held_.empty() ? Clock::time_point::max() : held_.begin()->first;
}

}  // namespace sallyport::host::http
