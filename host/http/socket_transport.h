// A connection in the clear.
#pragma once

#include <memory>

#include <Poco/Net/StreamSocket.h>

#include "host/http/transport.h"

namespace sallyport::host::http {

/// A non-blocking stream socket, TCP or Unix.
class SocketTransport final : public Transport {
public:
    /// @param socket non-blocking, and nobody else's.
    explicit SocketTransport(std::unique_ptr<Poco::Net::StreamSocket> socket);
    ~SocketTransport() override;

    [[nodiscard]] int descriptor() const noexcept override { return descriptor_; }
    [[nodiscard]] Readiness onEvents(std::uint32_t events) override;
    [[nodiscard]] Result read(std::span<char> into) override;
    [[nodiscard]] Result write(std::span<const std::string_view> buffers) override;
    void shutDownSending() override;
    [[nodiscard]] bool peerHasClosed() override;
    [[nodiscard]] std::string peer() const override;

private:
    std::unique_ptr<Poco::Net::StreamSocket> socket_;
    const int descriptor_;
    bool ended_ = false;  ///< the end of what the peer sends was reported, and will not be again
};

}  // namespace sallyport::host::http
