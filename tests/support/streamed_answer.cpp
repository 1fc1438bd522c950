#include "tests/support/streamed_answer.h"

#include <utility>

namespace sallyport::tests {

StreamedAnswer::StreamedAnswer(const Endpoint& endpoint, const Request& request) : connection_(endpoint) {
    connection_.send(request.bytes());
    head_ = connection_.receiveHead(request.method());
}

std::string StreamedAnswer::next() {
    for (;;) {
        if (const auto end = text_.find("\n\n"); end != std::string::npos) {
            std::string block = text_.substr(0, end + 2);
            text_.erase(0, end + 2);
            return block;
        }
        if (!connection_.receiveBody(text_)) {
            return std::exchange(text_, {});
        }
    }
}

std::string StreamedAnswer::rest() {
    while (connection_.receiveBody(text_)) {
    }
    return std::exchange(text_, {});
}

}  // namespace sallyport::tests
