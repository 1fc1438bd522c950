#include "client_stream.h"

#include <utility>

namespace sallyport::plugins::llm {

bool ClientStream::isOpened() const noexcept {
    return !std::holds_alternative<Unopened>(state_);
}

bool ClientStream::write(std::string_view bytes) {
    if (std::holds_alternative<Unopened>(state_)) {
        state_ = Opened{std::string(bytes)};
        return true;
    }
    if (auto* const opened = std::get_if<Opened>(&state_)) {
        opened->unsent.append(bytes);
    } else if (auto* const attached = std::get_if<Attached>(&state_)) {
        attached->stream->write(bytes);
    }
    return false;
}

void ClientStream::end() {
    if (auto* const opened = std::get_if<Opened>(&state_)) {
        state_ = Ended{.unsent = std::move(opened->unsent)};
    } else if (auto* const attached = std::get_if<Attached>(&state_)) {
        attached->stream->end();
        state_ = Ended{.stream = std::move(attached->stream)};
    }
}

std::string ClientStream::takeUnsent() {
    if (auto* const opened = std::get_if<Opened>(&state_)) {
        return std::exchange(opened->unsent, {});
    }
    if (auto* const ended = std::get_if<Ended>(&state_)) {
        return std::exchange(ended->unsent, {});
    }
    return {};
}

bool ClientStream::attach(const std::shared_ptr<Stream>& stream) {
    if (const auto* const opened = std::get_if<Opened>(&state_)) {
        state_ = Attached{stream, opened->paused};
        return true;
    }
    if (std::holds_alternative<Ended>(state_)) {
        stream->end();
    }
    return false;
}

std::shared_ptr<Stream> ClientStream::stream() const {
    const auto* const attached = std::get_if<Attached>(&state_);
    return attached != nullptr ? attached->stream : nullptr;
}

/// What the network has still to take.
std::size_t ClientStream::backlog() const {
    if (const auto* const opened = std::get_if<Opened>(&state_)) {
        return opened->unsent.size();
    }
    const auto* const attached = std::get_if<Attached>(&state_);
    return attached != nullptr ? attached->stream->pending() : 0;
}

bool ClientStream::pauseIfBehind() {
    if (isPaused() || backlog() <= greatestBacklog) {
        return false;
    }
    if (auto* const opened = std::get_if<Opened>(&state_)) {
        opened->paused = true;
    } else if (auto* const attached = std::get_if<Attached>(&state_)) {
        attached->paused = true;
    }
    return true;
}

bool ClientStream::isPaused() const noexcept {
    if (const auto* const opened = std::get_if<Opened>(&state_)) {
        return opened->paused;
    }
    const auto* const attached = std::get_if<Attached>(&state_);
    return attached != nullptr && attached->paused;
}

bool ClientStream::resume() {
    if (auto* const opened = std::get_if<Opened>(&state_)) {
        return std::exchange(opened->paused, false);
    }
    auto* const attached = std::get_if<Attached>(&state_);
    return attached != nullptr && std::exchange(attached->paused, false);
}

std::shared_ptr<Stream> ClientStream::release() {
    if (auto* const ended = std::get_if<Ended>(&state_)) {
        return std::exchange(ended->stream, nullptr);
    }
    auto released = stream();
    if (isOpened()) {
        state_ = Cut{};
    }
    return released;
}

}  // namespace sallyport::plugins::llm
