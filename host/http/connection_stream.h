// The producer's end of a streamed body.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <sallyport/reply.h>

#include "host/http/event_loop.h"
#include "host/http/host_call.h"

namespace sallyport::host::http {

/// Carries bytes from whatever thread the producer uses to the connection's loop. [any thread]
class ConnectionStream final : public Stream, public std::enable_shared_from_this<ConnectionStream> {
public:
    ConnectionStream(EventLoop& loop, EventLoop::ConnectionId connection, std::uint64_t exchange,
                     std::shared_ptr<HostCall> call);

    /// What a producer gets: dropping the last copy without having ended the body aborts it.
    [[nodiscard]] std::shared_ptr<Stream> handle();

    bool write(std::string_view bytes) override;
    void end() override;
    void abort() override;
    [[nodiscard]] std::size_t pending() const override;
    void onClosed(std::function<void()> gone) override;
    void onDrained(std::function<void()> drained) override;

    /// How much the connection holds that the network has not taken. [loop thread]
    void setBacklog(std::size_t bytes);
    /// The connection has ended, or the body has been sent whole. [loop thread]
    void detach();

private:
    enum class Ending { none, whole, aborted };

    void finish(Ending ending);
    /// Has the loop fetch what is buffered. Called with the lock held.
    void schedule();
    void transfer();
    /// Destroys a closure of the plugin's. Not with the lock held.
    void drop(std::function<void()> closure) const;

    const std::shared_ptr<Gate> gate_;
    const entry::Origin origin_;
    EventLoop& loop_;
    const EventLoop::ConnectionId connection_;
    const std::uint64_t exchange_;
    std::atomic<std::size_t> backlog_{0};
    mutable std::mutex mutex_;  ///< guards what follows; never held in the plugin's code
    /// Until the connection has ended or the body has been sent: as long as it counts as the plugin's.
    std::shared_ptr<HostCall> call_;
    std::string buffer_;
    Ending ending_ = Ending::none;
    bool scheduled_ = false;
    bool detached_ = false;
    std::function<void()> gone_;
    std::function<void()> drained_;
};

}  // namespace sallyport::host::http
