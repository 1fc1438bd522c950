#include "connection_pool.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sallyport::plugins::llm {

namespace {

/// Servers close idle connections after a minute or more, which is seen here in time unless a proxy in
/// between forgets to say so.
constexpr std::chrono::seconds greatestIdle{60};

}  // namespace

/// One connection. Whatever a server sends without having been asked, it is nothing to go on with, except
/// for what TLS has to say in private (RFC 8446 section 4.6).
class ConnectionPool::Idle final : private Watcher {
public:
    /// @param among the pool's connections that are as good, of which it is to be one.
    Idle(ConnectionPool& pool, Connections& among, std::unique_ptr<Socket> connection, Time now)
        : alike(among), since(now), socket(std::move(connection)), pool_(pool) {
        socket->rewatch(*this);
    }

    Connections& alike;
    const Time since;
    std::unique_ptr<Socket> socket;

private:
    void onEvents(IoEvents) override {
        std::array<char, 1> byte{};
        if (socket->read(byte).kind != Io::Kind::wait) {
            pool_.remove(*this);
        }
    }

    ConnectionPool& pool_;
};

ConnectionPool::ConnectionPool(std::size_t greatestCount) : greatestCount_(greatestCount) {}
ConnectionPool::~ConnectionPool() = default;

void ConnectionPool::keep(const std::string& key, std::unique_ptr<Socket> socket, Time now) {
    if (count_ >= greatestCount_) {
        removeOldest();
    }
    Connections& alike = connections_[key];  // which stays where it is
    alike.push_back(std::make_unique<Idle>(*this, alike, std::move(socket), now));
    ++count_;
}

std::unique_ptr<Socket> ConnectionPool::take(const std::string& key) {
    const auto found = connections_.find(key);
    if (found == connections_.end() || found->second.empty()) {
        return nullptr;
    }
    std::unique_ptr<Socket> socket = std::move(found->second.back()->socket);
    found->second.pop_back();
    --count_;
    return socket;
}

void ConnectionPool::prune(Time now) {
    for (auto& [key, connections] : connections_) {
        count_ -=
            std::erase_if(connections, [&](const auto& idle) { return now >= idle->since + greatestIdle; });
    }
}

void ConnectionPool::clear() {
    connections_.clear();
    count_ = 0;
}

ConnectionPool::Time ConnectionPool::nextPruning() const {
    Time next = Time::max();
    for (const auto& [key, connections] : connections_) {
        if (!connections.empty()) {
            next = std::min(next, connections.front()->since + greatestIdle);
        }
    }
    return next;
}

void ConnectionPool::remove(const Idle& idle) {
    count_ -= std::erase_if(idle.alike, [&](const auto& other) { return other.get() == &idle; });
}

void ConnectionPool::removeOldest() {
    const Idle* oldest = nullptr;
    for (const auto& [key, connections] : connections_) {
        if (!connections.empty() && (oldest == nullptr || connections.front()->since < oldest->since)) {
            oldest = connections.front().get();
        }
    }
    if (oldest != nullptr) {
        remove(*oldest);
    }
}

}  // namespace sallyport::plugins::llm
