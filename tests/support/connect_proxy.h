// A proxy that lets clients through to one server.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sallyport/file_descriptor.h>

namespace sallyport::tests {

/// Answers CONNECT (RFC 9110 section 9.3.6), on a free port of the loopback interface, by connecting to a
/// port there, whatever name was asked for. [any thread]
class ConnectProxy {
public:
    explicit ConnectProxy(std::uint16_t target);
    ~ConnectProxy();
    ConnectProxy(const ConnectProxy&) = delete;
    ConnectProxy& operator=(const ConnectProxy&) = delete;

    /// `http://127.0.0.1:PORT`. @param user `NAME:PASSWORD`; empty for none
    [[nodiscard]] std::string url(std::string_view user = "") const;

    /// The heads of the requests, as they arrived.
    [[nodiscard]] std::vector<std::string> requests() const;

private:
    void accept();
    void serve(int client);

    const std::uint16_t target_;
    FileDescriptor listener_;
    FileDescriptor stop_;  ///< readable once all is to end
    std::uint16_t port_ = 0;

    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::vector<std::thread> connections_;  ///< the acceptor's until that has ended
    std::thread acceptor_;
};

}  // namespace sallyport::tests
