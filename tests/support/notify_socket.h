// The receiving end of sd_notify(3).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/support/file_descriptor.h"

namespace sallyport::tests {

class Process;

/// Stands in for systemd: a datagram socket whose path goes into `NOTIFY_SOCKET`.
class NotifySocket {
public:
    explicit NotifySocket(std::filesystem::path path);

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

    /// Reads notifications until one has the line `wanted`, such as `READY=1`. Those before it are used
    /// up. @return false when `sender` ended instead. @throws TimedOut
    [[nodiscard]] bool await(std::string_view wanted, const Process& sender);

    /// Forgets what has arrived so far.
    void discard();

private:
    [[nodiscard]] bool receive(std::string& message);

    std::filesystem::path path_;
    FileDescriptor socket_;
};

}  // namespace sallyport::tests
