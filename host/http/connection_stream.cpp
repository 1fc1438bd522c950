#include "host/http/connection_stream.h"

#include <utility>

#include "host/http/connection.h"

namespace sallyport::host::http {

ConnectionStream::ConnectionStream(EventLoop& loop, EventLoop::ConnectionId connection,
                                   std::uint64_t exchange, std::shared_ptr<HostCall> call)
    : call_(std::move(call)), loop_(loop), connection_(connection), exchange_(exchange) {}

std::shared_ptr<Stream> ConnectionStream::handle() {
    return {this, [self = shared_from_this()](Stream* stream) { stream->abort(); }};
}

bool ConnectionStream::write(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (detached_ || ending_ != Ending::none)
        return false;
    buffer_.append(bytes);
    schedule();
    return true;
}

void ConnectionStream::end() {
    finish(Ending::whole);
}

void ConnectionStream::abort() {
    finish(Ending::aborted);
}

void ConnectionStream::finish(Ending ending) {
    const std::lock_guard lock(mutex_);
    if (detached_ || ending_ != Ending::none)
        return;
    ending_ = ending;
    gone_ = nullptr;
    drained_ = nullptr;
    schedule();
}

std::size_t ConnectionStream::pending() const {
    const std::lock_guard lock(mutex_);
    return buffer_.size() + backlog_;
}

void ConnectionStream::onClosed(std::function<void()> gone) {
    {
        const std::lock_guard lock(mutex_);
        if (ending_ != Ending::none)
            return;
        if (!detached_) {
            gone_ = std::move(gone);
            return;
        }
    }
    gone();
}

void ConnectionStream::onDrained(std::function<void()> drained) {
    {
        const std::lock_guard lock(mutex_);
        if (detached_ || ending_ != Ending::none)
            return;
        if (!buffer_.empty() || backlog_ > 0) {
            drained_ = std::move(drained);
            return;
        }
    }
    drained();
}

void ConnectionStream::setBacklog(std::size_t bytes) {
    std::function<void()> drained;
    {
        const std::lock_guard lock(mutex_);
        backlog_ = bytes;
        if (bytes == 0 && buffer_.empty())
            drained.swap(drained_);
    }
    if (drained)
        drained();
}

void ConnectionStream::schedule() {
    if (scheduled_)
        return;
    scheduled_ = true;
    loop_.post([self = shared_from_this()] { self->transfer(); });
}

void ConnectionStream::transfer() {
    std::string bytes;
    Ending ending = Ending::none;
    {
        const std::lock_guard lock(mutex_);
        scheduled_ = false;
        bytes.swap(buffer_);
        ending = ending_;
        backlog_ += bytes.size();
    }
    if (!bytes.empty()) {
        if (auto* connection = loop_.find(connection_))
            connection->streamWrite(exchange_, std::move(bytes));
    }
    if (ending != Ending::none) {
        if (auto* connection = loop_.find(connection_))
            connection->streamEnd(exchange_, ending == Ending::whole);
    }
}

void ConnectionStream::detach() {
    std::function<void()> gone;
    {
        const std::lock_guard lock(mutex_);
        detached_ = true;
        gone.swap(gone_);
        drained_ = nullptr;
    }
    if (gone)
        gone();
}

}  // namespace sallyport::host::http
