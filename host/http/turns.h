// Whose turn it is on a loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "host/http/task.h"
#include "host/http/time_share.h"

namespace sallyport::host::http {

/// What is to be done for the connections of a loop. The accounts take turns, and so do the connections of an
/// account: whoever has many connections, or much to do for each, keeps no other account waiting for more
/// than one turn. While others are there, an account that has used up its share of the time waits until that
/// is made up for, so that the processor has room for whoever comes; operators and newcomers always go on. A
/// connection waits once, with all that has come together for it. [one thread at a time]
class Turns {
public:
    using ConnectionId = std::uint64_t;
    using Clock = TimeShare::Clock;

    struct Turn {
        ConnectionId connection = 0;
        Account account = 0;
        std::uint32_t events = 0;  ///< of epoll
        bool again = false;        ///< it gave way before it was done
        std::vector<Task> tasks;   ///< in the order of their coming
    };

    /// @param share percent of the time that one account may have while others are there; at least 1. 100:
    /// all.
    /// @param crowd outlives this, and is shared with other loops.
    Turns(unsigned share, Crowd& crowd) : share_(share), crowd_(crowd) {}

    /// What the connection has waiting, to be added to. If that is nothing yet, it comes last in the line of
    /// the account. The reference is good until the next call.
    [[nodiscard]] Turn& of(ConnectionId connection, Account account);

    /// The next one; nothing if none waits that may have one now.
    [[nodiscard]] std::optional<Turn> take(Clock::time_point now);
    /// What a turn took. @param account the connection's by now.
    void took(Account account, Clock::duration time, Clock::time_point now);

    /// Any one, whoever has used up how much; nothing if none waits.
    [[nodiscard]] std::optional<Turn> takeAny();

    /// When `take` may find one: in the past, at once; never, if none waits.
    [[nodiscard]] Clock::time_point due() const;

    /// Those that are remembered.
    [[nodiscard]] std::size_t accounts() const noexcept { return lines_.size(); }

private:
    struct Line {
        std::deque<ConnectionId> connections;
        TimeShare time;
    };

    void letGo();
    [[nodiscard]] std::optional<Turn> takeFirst();
    void forgetIdle(Clock::time_point now);

    const unsigned share_;
    Crowd& crowd_;
    std::unordered_map<ConnectionId, Turn> waiting_;
    std::unordered_map<Account, Line> lines_;
    std::size_t manyLines_ = 64;
    std::deque<Account> accounts_;                    ///< whose turn it is, the first is next
    std::multimap<Clock::time_point, Account> held_;  ///< those that wait for their time
};

}  // namespace sallyport::host::http
