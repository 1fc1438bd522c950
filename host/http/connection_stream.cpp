#include "host/http/connection_stream.h"

#include <utility>

#include "host/http/connection.h"

namespace sallyport::host::http {

ConnectionStream::ConnectionStream(EventLoop& loop, EventLoop::ConnectionId connection,
                                   std::uint64_t exchange, std::shared_ptr<HostCall> call)
    : gate_(call->route().gate),
      origin_(call->origin()),
      loop_(loop),
      connection_(connection),
      exchange_(exchange),
      call_(std::move(call)) {}

std::shared_ptr<Stream> ConnectionStream::handle() {
    return {this, [self = shared_from_this()](Stream* stream) { stream->abort(); }};
}

bool ConnectionStream::write(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (detached_ || ending_ != Ending::none) {
        return false;
    }
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
    std::function<void()> gone;
    std::function<void()> drained;
    {
        const std::lock_guard lock(mutex_);
        if (detached_ || ending_ != Ending::none) {
            return;
        }
        ending_ = ending;
        gone.swap(gone_);
        drained.swap(drained_);
        schedule();
    }
    drop(std::move(gone));
    drop(std::move(drained));
}

void ConnectionStream::drop(std::function<void()> closure) const {
    entry::destroy(gate_->owner(), "destructor", closure);
}

std::size_t ConnectionStream::pending() const {
    const std::lock_guard lock(mutex_);
    return buffer_.size() + backlog_;
}

void ConnectionStream::onClosed(std::function<void()> gone) {
    bool now = false;
    {
        const std::lock_guard lock(mutex_);
        now = detached_ && ending_ == Ending::none;
        // What was there before is destroyed without the lock.
        if (!detached_ && ending_ == Ending::none) {
            gone.swap(gone_);
        }
    }
    if (now) {
        entry::guarded(gate_->owner(), "Stream::onClosed", origin_, gone);
    }
    drop(std::move(gone));
}

void ConnectionStream::onDrained(std::function<void()> drained) {
    bool now = false;
    {
        const std::lock_guard lock(mutex_);
        const bool open = !detached_ && ending_ == Ending::none;
        now = open && buffer_.empty() && backlog_ == 0;
        if (open && !now) {
            drained.swap(drained_);
        }
    }
    if (now) {
        entry::guarded(gate_->owner(), "Stream::onDrained", origin_, drained);
    }
    drop(std::move(drained));
}

void ConnectionStream::setBacklog(std::size_t bytes) {
    std::function<void()> drained;
    {
        const std::lock_guard lock(mutex_);
        backlog_ = bytes;
        if (bytes == 0 && buffer_.empty()) {
            drained.swap(drained_);
        }
    }
    if (drained) {
        entry::guarded(gate_->owner(), "Stream::onDrained", origin_, drained);
    }
    drop(std::move(drained));
}

void ConnectionStream::schedule() {
    if (scheduled_) {
        return;
    }
    scheduled_ = true;
    loop_.post(connection_, [self = shared_from_this()] { self->transfer(); });
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
        if (auto* connection = loop_.find(connection_)) {
            connection->streamWrite(exchange_, std::move(bytes));
        }
    }
    if (ending != Ending::none) {
        if (auto* connection = loop_.find(connection_)) {
            connection->streamEnd(exchange_, ending == Ending::whole);
        }
    }
}

void ConnectionStream::detach() {
    std::function<void()> gone;
    std::function<void()> drained;
    std::shared_ptr<HostCall> call;
    {
        const std::lock_guard lock(mutex_);
        detached_ = true;
        gone.swap(gone_);
        drained.swap(drained_);
        call.swap(call_);
    }
    if (gone) {
        entry::guarded(gate_->owner(), "Stream::onClosed", origin_, gone);
    }
    drop(std::move(gone));
    drop(std::move(drained));
}

}  // namespace sallyport::host::http
