// A file descriptor that closes itself.
#pragma once

#include <unistd.h>

namespace sallyport::plugins::llm {

/// Whoever makes one sees to it that it is open.
class Descriptor {
public:
    explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
    ~Descriptor() { ::close(descriptor_); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const noexcept { return descriptor_; }

private:
    const int descriptor_;
};

}  // namespace sallyport::plugins::llm
