// A second stack for a thread's signal handlers.
#pragma once

#include <cstddef>

namespace sallyport::host::entry {

/// Lets a signal handler run on the thread that makes this even when it has used up its own stack
/// (sigaltstack(2)). A thread that has a second stack keeps that. Destroyed on the same thread.
class AlternateStack {
public:
    AlternateStack() noexcept;
    ~AlternateStack();
    AlternateStack(const AlternateStack&) = delete;
    AlternateStack& operator=(const AlternateStack&) = delete;

private:
    void* memory_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace sallyport::host::entry
