// What a peer may use up.
#pragma once

#include <chrono>
#include <cstddef>

#include <sallyport/json.h>

namespace sallyport::host::http {

/// The bounds that hold for every connection of both doors, from the `http.*` settings. All time-outs are
/// total: no byte that arrives extends them.
struct Limits {
    std::size_t maxHeaderBytes = std::size_t{16} * 1024;  ///< all of a request's header fields
    std::size_t maxHeaders = 100;                         ///< header fields in a request
    std::size_t maxUriBytes = std::size_t{8} * 1024;
    json::Limits json;  ///< of JSON in a body
    /// Request bodies held at once, over all connections, and what they are taken apart into.
    std::size_t bodyMemory = std::size_t{256} * 1024 * 1024;
    std::chrono::milliseconds headerTimeout{10'000};
    std::chrono::milliseconds bodyTimeout{60'000};
    std::size_t minBodyRate = std::size_t{16} * 1024;  ///< bytes a second of a request's body; 0: any
    std::chrono::milliseconds idleTimeout{75'000};
    std::chrono::milliseconds anonymousTimeout{10'000};  ///< of a connection without an authenticated request
    std::chrono::milliseconds writeTimeout{30'000};      ///< without the peer taking a single byte
    std::size_t subscriberBuffer = std::size_t{1024} * 1024;  ///< bytes queued for one event subscriber
    std::chrono::milliseconds heartbeat{15'000};
    /// After so long it is found out whether a client that has shut down its sending side still waits.
    std::chrono::milliseconds probeDelay{2'000};
    std::chrono::milliseconds longestHold{10'000};      ///< of a request of a job over its rate
    std::size_t tunnelBuffer = std::size_t{64} * 1024;  ///< bytes of a tunnel that its client has not taken
    std::chrono::milliseconds tunnelEstablishTimeout{30'000};
    std::chrono::milliseconds tunnelIdleTimeout{600'000};
    std::chrono::milliseconds tunnelLifetime{86'400'000};  ///< 0: any
    unsigned jobShare = 20;  ///< percent of a thread's time that one job may have while others are there
};

}  // namespace sallyport::host::http
