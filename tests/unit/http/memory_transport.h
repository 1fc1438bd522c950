// The other end of a connection without a socket.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/http/transport.h"
#include "tests/support/deadline.h"

namespace sallyport::tests {

/// What a client has sent and not been read, and what it has been sent. Outlives the transport. [any thread]
class MemoryPeer {
public:
    MemoryPeer() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    ~MemoryPeer() { ::close(descriptor_); }
    MemoryPeer(const MemoryPeer&) = delete;
    MemoryPeer& operator=(const MemoryPeer&) = delete;

    /// What the client does. Each wakes up the loop that has the transport, as an event of a socket would.
    void send(std::string_view bytes) {
        change([&] { input_ += bytes; });
    }
    void finishSending() {
        change([&] { finished_ = true; });
    }
    /// Closes both directions, which shows as `finishSending` does until the client is sent something.
    void leave() {
        change([&] { finished_ = left_ = true; });
    }
    void reset() {
        change([&] { failed_ = true; });
    }
    /// Takes so many bytes more; at the beginning there is no bound.
    void take(std::size_t bytes) {
        change([&] { room_ += bytes; });
    }
    /// Takes nothing from here on but what `take` allows.
    void stopTaking() {
        const std::lock_guard lock(mutex_);
        room_ = 0;
    }

    /// Everything it has been sent, once `text` is in it. @throws std::runtime_error when it does not come.
    std::string await(std::string_view text) {
        return awaitUntil([&] { return output_.find(text) != std::string::npos; });
    }
    /// Everything it has been sent until its end.
    std::string awaitEnd() {
        return awaitUntil([&] { return ended_ || gone_; });
    }
    /// Awaits that the transport has gone.
    void awaitGone() {
        awaitUntil([&] { return gone_; });
    }
    [[nodiscard]] std::string output() const {
        const std::lock_guard lock(mutex_);
        return output_;
    }
    [[nodiscard]] std::size_t unread() const {
        const std::lock_guard lock(mutex_);
        return input_.size();
    }

private:
    friend class MemoryTransport;

    template <class F>
    void change(F f) {
        {
            const std::lock_guard lock(mutex_);
            f();
        }
        const std::uint64_t one = 1;
        if (::write(descriptor_, &one, sizeof one) < 0) {
            throw std::runtime_error("eventfd");
        }
    }
    template <class F>
    std::string awaitUntil(F reached) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, failureLimit(), reached)) {
            throw std::runtime_error("did not come; sent so far: " + output_);
        }
        return output_;
    }

    const int descriptor_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::string input_;
    std::string output_;
    std::size_t room_ = std::string::npos;
    bool finished_ = false;  ///< by the client
    bool left_ = false;
    bool failed_ = false;
    bool ended_ = false;  ///< by the transport
    bool gone_ = false;
};

/// Reads and writes a MemoryPeer, in pieces of `piece` bytes at the most.
class MemoryTransport final : public host::http::Transport {
public:
    explicit MemoryTransport(MemoryPeer& peer, std::size_t piece = std::string::npos)
        : peer_(peer), piece_(piece) {}
    ~MemoryTransport() override {
        const std::lock_guard lock(peer_.mutex_);
        peer_.gone_ = true;
        peer_.changed_.notify_all();
    }

    [[nodiscard]] int descriptor() const noexcept override { return peer_.descriptor_; }

    [[nodiscard]] Readiness onEvents(std::uint32_t) override {
        const std::lock_guard lock(peer_.mutex_);
        return {true, true, peer_.finished_, peer_.failed_, peer_.failed_};
    }

    [[nodiscard]] Result read(std::span<char> into) override {
        const std::lock_guard lock(peer_.mutex_);
        if (peer_.input_.empty()) {
            return {peer_.finished_ ? Status::ended : Status::wouldBlock};
        }
        const auto bytes = std::min({into.size(), piece_, peer_.input_.size()});
        peer_.input_.copy(into.data(), bytes);
        peer_.input_.erase(0, bytes);
        return {Status::moved, bytes, true};
    }

    [[nodiscard]] Result write(std::span<const std::string_view> buffers) override {
        const std::lock_guard lock(peer_.mutex_);
        if (peer_.failed_ || peer_.left_) {
            return {Status::failed};
        }
        const auto limit = std::min(piece_, peer_.room_);
        std::size_t bytes = 0;
        for (const auto buffer : buffers) {
            const auto part = buffer.substr(0, limit - bytes);
            peer_.output_ += part;
            bytes += part.size();
        }
        if (peer_.room_ != std::string::npos) {
            peer_.room_ -= bytes;
        }
        peer_.changed_.notify_all();
        return {bytes > 0 ? Status::moved : Status::wouldBlock, bytes};
    }

    void shutDownSending() override {
        const std::lock_guard lock(peer_.mutex_);
        peer_.ended_ = true;
        peer_.changed_.notify_all();
    }

    [[nodiscard]] bool peerHasClosed() override {
        const std::lock_guard lock(peer_.mutex_);
        return peer_.finished_ && peer_.input_.empty();
    }

    [[nodiscard]] std::string peer() const override { return "memory"; }

private:
    MemoryPeer& peer_;
    const std::size_t piece_;
};

}  // namespace sallyport::tests
