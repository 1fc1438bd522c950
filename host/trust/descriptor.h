// An open file.
#pragma once

#include <utility>

#include <unistd.h>

namespace sallyport::host::trust {

/// A file descriptor that closes itself.
class Descriptor {
public:
    explicit Descriptor(int value) noexcept : value_(value) {}
    Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { close(); }

    void close() noexcept {
        if (open())
            ::close(std::exchange(value_, -1));
    }

    [[nodiscard]] int get() const noexcept { return value_; }
    [[nodiscard]] bool open() const noexcept { return value_ >= 0; }

private:
    int value_;
};

}  // namespace sallyport::host::trust
