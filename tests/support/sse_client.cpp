#include "tests/support/sse_client.h"

namespace sallyport::tests {

namespace {

Request subscription(const std::string& token, const SseClient::Options& options) {
    Request request("GET", options.target);
    request.bearer(token).header("Accept", "text/event-stream");
    if (options.lastEventId) {
        request.header("Last-Event-ID", *options.lastEventId);
    }
    return request;
}

/// What follows the field's name, without the one space that may stand there.
std::optional<std::string> field(const std::string& line, std::string_view name) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') {
        return std::nullopt;
    }
    std::string value = line.substr(name.size() + 1);
    return value.starts_with(' ') ? value.substr(1) : value;
}

}  // namespace

std::string StreamedEvent::describe() const {
    return "id: " + id + "\nevent: " + type + "\ndata: " + data;
}

SseClient::SseClient(const Endpoint& endpoint, const std::string& token, const Options& options)
    : connection_(endpoint, options.receiveBuffer) {
    connection_.send(subscription(token, options).bytes());
    head_ = connection_.receiveHead();
}

std::vector<std::string> SseClient::nextBlock() {
    std::size_t end = text_.find("\n\n");
    while (end == std::string::npos) {
        if (!connection_.receiveBody(text_)) {
            return {};
        }
        end = text_.find("\n\n");
    }
    std::vector<std::string> lines;
    for (std::size_t start = 0; start < end + 1;) {
        const std::size_t lineEnd = text_.find('\n', start);
        lines.push_back(text_.substr(start, lineEnd - start));
        start = lineEnd + 1;
    }
    text_.erase(0, end + 2);
    return lines;
}

StreamedEvent SseClient::next() {
    for (;;) {
        const auto lines = nextBlock();
        if (lines.empty()) {
            throw ConnectionLost("the event stream ended");
        }
        StreamedEvent event;
        for (const std::string& line : lines) {
            if (const auto id = field(line, "id")) {
                event.id = *id;
            } else if (const auto type = field(line, "event")) {
                event.type = *type;
            } else if (const auto data = field(line, "data")) {
                event.data += (event.data.empty() ? "" : "\n") + *data;
            }
        }
        if (!event.data.empty()) {
            return event;
        }
    }
}

StreamedEvent SseClient::nextNumbered() {
    for (;;) {
        StreamedEvent event = next();
        if (!event.id.empty()) {
            return event;
        }
    }
}

StreamedEvent SseClient::nextOfType(std::string_view type) {
    for (;;) {
        StreamedEvent event = next();
        if (event.type == type) {
            return event;
        }
    }
}

std::string SseClient::nextComment() {
    for (;;) {
        const auto lines = nextBlock();
        if (lines.empty()) {
            throw ConnectionLost("the event stream ended");
        }
        for (const std::string& line : lines) {
            if (line.starts_with(':')) {
                return line;
            }
        }
    }
}

bool SseClient::endsCleanly() {
    try {
        while (!nextBlock().empty()) {
        }
        return true;
    } catch (const ConnectionLost&) {
        return false;
    }
}

}  // namespace sallyport::tests
