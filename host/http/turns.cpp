#include "host/http/turns.h"

#include <utility>

namespace sallyport::host::http {

Turns::Turn& Turns::of(ConnectionId connection, Account account) {
    const auto found = waiting_.find(connection);
    if (found != waiting_.end())
        return found->second;
    // The turn last: a place in a line without one, where memory ends in between, is passed over.
    auto& line = lines_[account];
    if (line.empty())
        accounts_.push_back(account);
    line.push_back(connection);
    auto& turn = waiting_[connection];
    turn.connection = connection;
    return turn;
}

std::optional<Turns::Turn> Turns::take() {
    while (!accounts_.empty()) {
        const auto account = accounts_.front();
        accounts_.pop_front();
        const auto line = lines_.find(account);
        if (line == lines_.end() || line->second.empty())
            continue;
        auto turn = waiting_.extract(line->second.front());
        line->second.pop_front();
        if (line->second.empty())
            lines_.erase(line);
        else
            accounts_.push_back(account);
        if (turn)
            return std::move(turn.mapped());
    }
    return std::nullopt;
}

}  // namespace sallyport::host::http
