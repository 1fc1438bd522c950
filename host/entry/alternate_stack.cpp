#include "host/entry/alternate_stack.h"

#include <algorithm>
#include <csignal>

#include <sys/mman.h>
#include <unistd.h>

namespace sallyport::host::entry {

namespace {

/// Enough to walk the stack of whatever crashed. Memory that is not touched costs nothing.
constexpr std::size_t least = std::size_t{64} * 1024;

}  // namespace

AlternateStack::AlternateStack() noexcept {
    stack_t present{};
    if (::sigaltstack(nullptr, &present) != 0 || (present.ss_flags & SS_DISABLE) == 0) {
        return;
    }
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const auto wanted = std::max(least, 2 * static_cast<std::size_t>(std::max(::sysconf(_SC_SIGSTKSZ), 0L)));
    // Its first page stays closed, so that what overflows this one too does not write over other memory.
    size_ = wanted + page;
    void* const memory =
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        return;
    }
    memory_ = memory;
    ::mprotect(memory_, page, PROT_NONE);
    stack_t stack{};
    stack.ss_sp = static_cast<char*>(memory_) + page;
    stack.ss_size = wanted;
    ::sigaltstack(&stack, nullptr);
}

AlternateStack::~AlternateStack() {
    if (memory_ == nullptr) {
        return;
    }
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
    ::munmap(memory_, size_);
}

}  // namespace sallyport::host::entry
