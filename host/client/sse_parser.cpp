#include "host/client/sse_parser.h"

#include <stdexcept>
#include <utility>

namespace sallyport::host::client {

namespace {

constexpr std::string_view byteOrderMark = "\xEF\xBB\xBF";

}  // namespace

void SseParser::feed(std::string_view bytes) {
    if (started_) {
        take(bytes);
        return;
    }
    start_ += bytes;
    if (start_.size() < byteOrderMark.size() && byteOrderMark.starts_with(start_)) {
        return;
    }
    started_ = true;
    std::string_view begin = start_;
    if (begin.starts_with(byteOrderMark)) {
        begin.remove_prefix(byteOrderMark.size());
    }
    take(begin);
    start_.clear();
}

std::optional<SseEvent> SseParser::next() {
    if (ready_.empty()) {
        return std::nullopt;
    }
    SseEvent event = std::move(ready_.front());
    ready_.pop_front();
    return event;
}

void SseParser::take(std::string_view bytes) {
    while (!bytes.empty()) {
        if (std::exchange(afterReturn_, false) && bytes.front() == '\n') {
            bytes.remove_prefix(1);
            continue;
        }
        const std::size_t end = bytes.find_first_of("\r\n");
        line_ += bytes.substr(0, end);
        if (line_.size() + event_.data.size() > greatestEvent) {
            throw std::length_error("an event is longer than 256 MiB");
        }
        if (end == std::string_view::npos) {
            return;
        }
        afterReturn_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        endLine();
    }
}

void SseParser::endLine() {
    const std::string line = std::exchange(line_, {});
    if (line.empty()) {
        dispatch();
        return;
    }
    const std::string_view text = line;
    const std::size_t colon = text.find(':');
    if (colon == 0) {
        return;  // a comment
    }
    std::string_view value = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    if (value.starts_with(' ')) {
        value.remove_prefix(1);
    }
    field(text.substr(0, colon), value);
}

void SseParser::field(std::string_view name, std::string_view value) {
    if (name == "data") {
        event_.data.append(value).push_back('\n');
    } else if (name == "event") {
        event_.type = value;
    } else if (name == "id" && value.find('\0') == std::string_view::npos) {
        event_.id = value;
    }
    // `retry` is not followed: how soon to come back is the watcher's decision. Unknown fields are ignored.
}

void SseParser::dispatch() {
    SseEvent event = std::exchange(event_, {.id = std::nullopt, .type = "", .data = ""});
    if (event.data.empty()) {
        return;
    }
    event.data.pop_back();
    if (event.type.empty()) {
        event.type = "message";
    }
    ready_.push_back(std::move(event));
}

}  // namespace sallyport::host::client
