// Threads on which nothing may wait for the disk.
#pragma once

namespace sallyport::host::entry {

/// Whether this thread may wait for the disk, as long as one of these lives; the innermost counts. A thread
/// that serves connections must not, because all of them would wait with it. [one thread; nested as scopes
/// are]
class Waiting {
public:
    enum class Rule { allowed, forbidden };

    explicit Waiting(Rule rule) noexcept;
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

private:
    const Rule before_;
};

/// To be called by what may wait. @param function as its caller knows it, such as `Store::query`.
/// @throws std::logic_error a sentence that says what to do, where waiting is forbidden.
void requireMayWait(const char* function);

}  // namespace sallyport::host::entry
