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
    if (found != waiting_.end()) {
        return found->second;
    }
    // The turn last: a place in a line without one, where memory ends in between, is passed over.
    auto& line = lines_[account].connections;
    if (line.empty()) {
        accounts_.push_back(account);
    }
    line.push_back(connection);
    auto& turn = waiting_[connection];
    turn.connection = connection;
    turn.account = account;
    return turn;
}

std::optional<Turns::Turn> Turns::take(Clock::time_point now) {
    const bool crowded = crowd_.isThere(now);
    while (!held_.empty() && (held_.begin()->first <= now || !crowded)) {
        letGo();
    }
    while (!accounts_.empty()) {
        const auto account = accounts_.front();
        const auto line = lines_.find(account);
        if (crowded && line != lines_.end() && line->second.time.due() > now) {
            held_.emplace(line->second.time.due(), account);
            accounts_.pop_front();
        } else if (auto turn = takeFirst()) {
            return turn;
        }
    }
    return std::nullopt;
}

std::optional<Turns::Turn> Turns::takeAny() {
    while (!held_.empty()) {
        letGo();
    }
    while (!accounts_.empty()) {
        if (auto turn = takeFirst()) {
            return turn;
        }
    }
    return std::nullopt;
}

void Turns::letGo() {
    accounts_.push_back(held_.begin()->second);
    held_.erase(held_.begin());
}

/// Of the account that is first, which comes last if it has more waiting. What takes memory comes before what
/// changes anything.
std::optional<Turns::Turn> Turns::takeFirst() {
    const auto account = accounts_.front();
    accounts_.push_back(account);
    accounts_.pop_front();
    const auto line = lines_.find(account);
    std::optional<Turn> turn;
    while (line != lines_.end() && !turn && !line->second.connections.empty()) {
        if (auto waiting = waiting_.extract(line->second.connections.front())) {
            turn = std::move(waiting.mapped());
        }
        line->second.connections.pop_front();
    }
    if (line == lines_.end() || line->second.connections.empty()) {
        accounts_.pop_back();
    }
    return turn;
}

void Turns::took(Account account, Clock::duration time, Clock::time_point now) {
    // Who that will turn out to be is not known: it may be a further connection of a job that is alone.
    if (account == newcomersAccount) {
        return;
    }
    crowd_.had(account, now);
    if (share_ < 100 && account != operatorsAccount) {
        lines_[account].time.used(time, now, isOfStrangers(account) ? strangersShare(share_) : share_);
    }
    if (lines_.size() > manyLines_) {
        forgetIdle(now);
    }
}

/// Not at each look, which takes as long as there are accounts.
void Turns::forgetIdle(Clock::time_point now) {
    std::erase_if(lines_, [now](const auto& line) {
        return line.second.connections.empty() && line.second.time.isFresh(now);
    });
    manyLines_ = 2 * lines_.size() + 64;
}

Turns::Clock::time_point Turns::due() const {
    if (!accounts_.empty()) {
        return {};
    }
    return held_.empty() ? Clock::time_point::max() : held_.begin()->first;
}

}  // namespace sallyport::host::http
