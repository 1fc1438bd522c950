// Addresses of servers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <sys/socket.h>

namespace sallyport::plugins::llm {

/// One address of a server, for connect(2).
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

/// What a lookup found: addresses in the order to try them (RFC 6724), or a problem.
struct Addresses {
    std::vector<SocketAddress> found;
    std::string problem;  ///< empty if there is one at least
};

/// Looks names up with getaddrinfo(3), so by whatever nsswitch.conf(5) has, on a thread of its own for each
/// name, and remembers what was found for a minute. A lookup cannot be stopped: where one still runs when the
/// plugin goes, the plugin's code stays in memory. [the loop's thread]
class Resolver {
public:
    using Done = std::function<void(const Addresses&)>;

    /// Runs a task on the loop's thread, from any.
    using Post = std::function<void(std::function<void()>)>;

    /// @param post may be called for as long as the resolver lives.
    explicit Resolver(Post post);
    /// Nobody is called any more. [the loop's thread]
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// Calls `done` on the loop's thread: at once for an address or what is remembered, otherwise later.
    void resolve(const std::string& host, std::uint16_t port, Done done);

private:
    using Time = std::chrono::steady_clock::time_point;

    struct Lookup;
    struct Entry {
        Addresses addresses;
        Time expires;
        std::vector<Done> waiting;
        std::shared_ptr<Lookup> lookup;  ///< while it runs
    };

    [[nodiscard]] std::shared_ptr<Lookup> lookUp(const std::string& key, const std::string& host,
                                                 std::uint16_t port);
    void found(const std::string& key, Addresses addresses);

    const Post post_;
    std::unordered_map<std::string, Entry> entries_;
};

}  // namespace sallyport::plugins::llm
