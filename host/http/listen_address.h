// Where a door listens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <Poco/Net/SocketAddress.h>

namespace sallyport::host::http {

/// One address to listen at: `host:port`, `[v6]:port` or `unix:/path`.
class ListenAddress {
public:
    /// Nothing is opened; a name is looked up.
    /// @return nothing if the text is no such address. A socket of the abstract namespace, which has no owner
    ///         and no mode, is none.
    [[nodiscard]] static std::optional<ListenAddress> parse(const std::string& text);

    /// As it was written.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] const Poco::Net::SocketAddress& socketAddress() const noexcept { return address_; }

    [[nodiscard]] bool isUnix() const noexcept { return !path_.empty(); }
    /// Of a Unix socket; empty for TCP.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    /// Of TCP; 0 takes a free one.
    [[nodiscard]] std::uint16_t port() const;
    /// The same with another port; a Unix socket stays as it is.
    [[nodiscard]] ListenAddress withPort(std::uint16_t port) const;

    /// Whether both cannot be listened at: they are the same, or one is all of the machine's addresses, with
    /// the same port. Free ports are never the same.
    [[nodiscard]] bool clashesWith(const ListenAddress& other) const;

    /// Whether it is the address of an interface at this moment. True for Unix sockets.
    [[nodiscard]] bool isPresent() const;

    /// Whether both say the same.
    [[nodiscard]] bool operator==(const ListenAddress& other) const {
        return path_ == other.path_ && (isUnix() || address_ == other.address_);
    }

private:
    std::string text_;
    std::string path_;
    Poco::Net::SocketAddress address_;
};

/// Those of a list with commas between them; nothing if one of them is none, or there is none at all.
[[nodiscard]] std::optional<std::vector<ListenAddress>> parseListenAddresses(std::string_view text);

}  // namespace sallyport::host::http
