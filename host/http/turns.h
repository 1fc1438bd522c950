// Whose turn it is on a loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "host/http/task.h"

namespace sallyport::host::http {

/// What is to be done for the connections of a loop. The accounts take turns, and so do the connections of an
/// account: whoever has many connections, or much to do for each, keeps no other account waiting for more
/// than one turn. A connection waits once, with all that has come together for it. [one thread at a time]
class Turns {
public:
    using ConnectionId = std::uint64_t;
    /// Who shares the time of the loop: see Door::Place::account.
    using Account = std::size_t;

    struct Turn {
        ConnectionId connection = 0;
        std::uint32_t events = 0;  ///< of epoll
        bool again = false;        ///< it gave way before it was done
        std::vector<Task> tasks;   ///< in the order of their coming
    };

    /// What the connection has waiting, to be added to. If that is nothing yet, it comes last in the line of
    /// the account. The reference is good until the next call.
    [[nodiscard]] Turn& of(ConnectionId connection, Account account);

    /// The next one; nothing if none waits.
    [[nodiscard]] std::optional<Turn> take();

    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }

private:
    using Line = std::deque<ConnectionId>;

    std::unordered_map<ConnectionId, Turn> waiting_;
    std::unordered_map<Account, Line> lines_;
    std::deque<Account> accounts_;  ///< those with a line; the first is next
};

}  // namespace sallyport::host::http
