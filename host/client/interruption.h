// Being asked to stop, for what takes a while.
#pragma once

#include <atomic>
#include <chrono>

#include <signal.h>

namespace sallyport::host::client {

/// A request to stop that reaches a thread wherever it waits: asleep, or reading from a socket.
class Interruption {
public:
    /// @throws std::system_error
    Interruption();
    ~Interruption();
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;

    /// Asks to stop. [any thread; from a signal handler too]
    void request() noexcept;

    [[nodiscard]] bool requested() const noexcept { return requested_; }

    /// Sleeps so long, or until a request. Tells whether there was one.
    [[nodiscard]] bool sleep(std::chrono::milliseconds time) const;

    /// While it lives, a request shuts that socket down, so that reading from it ends. One at a time, and
    /// it must be gone before the socket is closed.
    class Guard {
    public:
        Guard(Interruption& interruption, int descriptor);
        ~Guard();
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;

    private:
        Interruption& interruption_;
    };

private:
    std::atomic<bool> requested_ = false;
    std::atomic<int> socket_ = -1;
    int wake_;  ///< an eventfd
};

/// While it lives, a signal requests an interruption: SIGINT, which is Ctrl-C, or another. A second one ends
/// the program as it always did, in case the first cannot be obeyed. One at a time.
class InterruptOnSignal {
public:
    InterruptOnSignal(Interruption& interruption, int signal);
    ~InterruptOnSignal();
    InterruptOnSignal(const InterruptOnSignal&) = delete;
    InterruptOnSignal& operator=(const InterruptOnSignal&) = delete;

private:
    int signal_;
    struct sigaction before_ {};
};

}  // namespace sallyport::host::client
