// Where the operator door is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::host::client {

/// An address of the operator door: `http://host:port`, perhaps with a path before `/api`, or
/// `unix:/path`.
struct Address {
    std::string text;  ///< as it was given
    bool unixSocket = false;
    std::string host;  ///< of a TCP address, without brackets
    std::uint16_t port = 0;
    std::string basePath;  ///< without a slash at its end; empty for none
    std::string path;      ///< of a Unix socket

    /// @throws std::invalid_argument saying what is wrong with it.
    [[nodiscard]] static Address parse(std::string_view text);

    /// What goes into the `Host` header (RFC 9110 section 7.2).
    [[nodiscard]] std::string authority() const;
};

/// Whether the address is that of a job's worker (`…/worker/JOB`), as `job create` prints it.
[[nodiscard]] bool isWorkerAddress(std::string_view text);

}  // namespace sallyport::host::client
