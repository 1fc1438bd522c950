// Sockets of the loopback interface.
#pragma once

#include <cstdint>

#include <netinet/in.h>

#include <sallyport/file_descriptor.h>

namespace sallyport::tests {

[[nodiscard]] sockaddr_in loopback(std::uint16_t port);

/// A socket with a free port, which does not listen yet. @throws std::system_error
[[nodiscard]] FileDescriptor boundSocket();

/// @throws std::system_error
[[nodiscard]] FileDescriptor listeningSocket();

/// A connection to that port. @throws std::system_error
[[nodiscard]] FileDescriptor connectedSocket(std::uint16_t port);

[[nodiscard]] std::uint16_t portOf(const FileDescriptor& socket);

}  // namespace sallyport::tests
