// What the headers for plugins say in brackets about when and where something may be called, checked. Whoever
// breaks a rule gets a std::logic_error whose sentence says what to do. What must not wait: waiting.h.
#pragma once

#include <atomic>
#include <thread>

namespace sallyport::host::entry {

/// `[during start]`: until a plugin's start has returned. [any thread]
class StartPhase {
public:
    /// The start has returned.
    void end() noexcept { over_ = true; }
    [[nodiscard]] bool isOver() const noexcept { return over_; }

    /// @param function as its caller knows it, such as `Host::every`. @throws std::logic_error after the end.
    void require(const char* function) const;

private:
    std::atomic<bool> over_{false};
};

/// What is for one thread alone: the one that made this.
class OneThread {
public:
    /// @param whose the function that was called on that thread, such as `Plugin::examine`.
    explicit OneThread(const char* whose) noexcept : whose_(whose) {}

    /// @param function as above. @throws std::logic_error on another thread.
    void require(const char* function) const;

private:
    const char* const whose_;
    const std::thread::id thread_ = std::this_thread::get_id();
};

/// `[the loop's thread]`. @param function as its caller knows it, such as `IoLoop::watch`.
/// @throws std::logic_error unless it is called there.
void requireLoop(bool isCurrent, const char* function);

/// The sentence about that, where nothing can be thrown.
[[nodiscard]] const char* offItsLoop() noexcept;

}  // namespace sallyport::host::entry
