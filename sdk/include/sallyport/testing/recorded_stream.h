// A client that reads a streamed body.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include <sallyport/reply.h>

namespace sallyport::testing {

/// Keeps what is written to it. At first it takes everything at once; the test can have it read nothing for
/// a while, and go away. [any thread]
class RecordedStream final : public Stream {
public:
    bool write(std::string_view bytes) override;
    void end() override;
    void abort() override;
    [[nodiscard]] std::size_t pending() const override;
    void onClosed(std::function<void()> gone) override;
    void onDrained(std::function<void()> drained) override;

    /// Reads no more: what is written from now on is pending.
    void stall();
    /// Reads what is pending, and goes on reading.
    void drain();
    /// Goes away, as a client does, or as when its token is revoked.
    void hangUp();

    /// All that was written so far.
    [[nodiscard]] std::string written() const;
    /// Whether the body was ended properly.
    [[nodiscard]] bool ended() const;
    /// Whether the connection was cut.
    [[nodiscard]] bool aborted() const;
    /// Returns when the body was ended, or the connection cut.
    void awaitEnd() const;

private:
    enum class State { open, ended, aborted, gone };

    void finish(State state);

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    State state_ = State::open;
    std::string written_;
    std::size_t pending_ = 0;
    bool stalled_ = false;
    std::function<void()> gone_;
    std::function<void()> drained_;
};

}  // namespace sallyport::testing
