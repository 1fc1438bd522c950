// The receiving end of sd_notify(3).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/file_descriptor.h>

namespace sallyport::tests {

class Process;

/// A socket that a service left with its manager.
struct KeptSocket {
    std::string name;
    FileDescriptor descriptor;
};

/// Stands in for systemd: a datagram socket whose path goes into `NOTIFY_SOCKET`.
class NotifySocket {
public:
    /// @param keepsSockets whether it is one with a descriptor store (`FileDescriptorStoreMax=`).
    explicit NotifySocket(std::filesystem::path path, bool keepsSockets = false);

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

    /// Reads notifications until one has the line `wanted`, such as `READY=1`. Those before it are used
    /// up. @return false when `sender` ended instead. @throws TimedOut
    [[nodiscard]] bool await(std::string_view wanted, const Process& sender);

    /// Forgets what has arrived so far, but for sockets.
    void discard();

    /// What is in its store, by the notifications that were read.
    [[nodiscard]] const std::vector<KeptSocket>& kept() const noexcept { return kept_; }
    /// Empties the store, as a service that is stopped for good has it emptied.
    void forget() { kept_.clear(); }

private:
    [[nodiscard]] bool receive(std::string& message);
    void manageStore(std::string_view message, FileDescriptor socket);

    std::filesystem::path path_;
    const bool keepsSockets_;
    FileDescriptor socket_;
    std::vector<KeptSocket> kept_;
};

}  // namespace sallyport::tests
