// Connections that wait for another call.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "socket.h"

namespace sallyport::plugins::llm {

/// Keeps idle connections by what they are good for, and closes one when its server does, when it has been
/// idle for too long, or when there are too many. [the loop's thread]
class ConnectionPool {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// @param greatestCount more are not kept.
    explicit ConnectionPool(std::size_t greatestCount = 1024);
    ~ConnectionPool();
    ConnectionPool(const ConnectionPool&) = delete;
    ConnectionPool& operator=(const ConnectionPool&) = delete;

    void keep(const std::string& key, std::unique_ptr<Socket> socket, Time now);

    /// The one that was used last, as it is the likeliest to be alive. Null if there is none.
    [[nodiscard]] std::unique_ptr<Socket> take(const std::string& key);

    /// Closes those that have been idle for too long.
    void prune(Time now);
    /// Closes all of them.
    void clear();
    /// When to prune next; the end of time if there are none.
    [[nodiscard]] Time nextPruning() const;

private:
    class Idle;
    using Connections = std::vector<std::unique_ptr<Idle>>;

    void remove(const Idle& idle);
    void removeOldest();

    const std::size_t greatestCount_;
    std::unordered_map<std::string, Connections> connections_;  ///< each in the order in which they came
    std::size_t count_ = 0;
};

}  // namespace sallyport::plugins::llm
