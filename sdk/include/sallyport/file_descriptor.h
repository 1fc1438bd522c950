// A file descriptor with an owner, and writing to one.
#pragma once

#include <cerrno>
#include <cstddef>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace sallyport {

/// Owns an open file, socket, pipe or whatever else the kernel gives a descriptor for, and closes it when it
/// goes. Moved from, it owns none. [one thread at a time]
class FileDescriptor {
public:
    /// Owns none.
    FileDescriptor() noexcept = default;
    /// @param descriptor what a system call returned; a negative one is none, and `errno` stays as it is, so
    ///                   that the caller can look at it.
    explicit FileDescriptor(int descriptor) noexcept : descriptor_(descriptor) {}
    ~FileDescriptor() { close(); }

    /// Takes over what the other owns.
    FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    /// Closes what it owns and takes over what the other owns.
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) {
            close();
            descriptor_ = std::exchange(other.descriptor_, -1);
        }
        return *this;
    }
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;

    /// The descriptor, which stays its own; negative for none.
    [[nodiscard]] int get() const noexcept { return descriptor_; }
    /// Whether it owns one.
    [[nodiscard]] bool open() const noexcept { return descriptor_ >= 0; }

    /// Closes it before its time. What close(2) has to say is lost: data that must last wants fsync(2) first.
    void close() noexcept {
        if (open()) {
            ::close(std::exchange(descriptor_, -1));
        }
    }

private:
    int descriptor_ = -1;
};

/// Writes all of it, however little is taken at a time, and goes on after a signal. The descriptor blocks.
/// [any thread] @return false when it takes no more; `errno` says why.
[[nodiscard]] inline bool writeAll(int descriptor, std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) {
            return false;
        }
        bytes.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
    return true;
}

}  // namespace sallyport
