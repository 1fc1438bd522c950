#include "sse_reader.h"

#include <algorithm>
#include <utility>

namespace sallyport::plugins::llm {

namespace {

/// Takes the first line off `rest`, without its end.
std::string_view takeLine(std::string_view& rest) {
    const std::size_t length = std::min(rest.find_first_of("\r\n"), rest.size());
    const std::string_view line = rest.substr(0, length);
    const std::size_t ending = rest.substr(length, 2) == "\r\n" ? 2 : 1;
    rest.remove_prefix(std::min(length + ending, rest.size()));
    return line;
}

struct Field {
    std::string_view name;
    std::string_view value;
};

Field fieldOf(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) {
        return {line, {}};
    }
    std::string_view value = line.substr(colon + 1);
    if (value.starts_with(' ')) {
        value.remove_prefix(1);
    }
    return {line.substr(0, colon), value};
}

}  // namespace

void SseReader::feed(std::string_view bytes, const Sink& sink) {
    if (pending_.empty()) {
        bytes.remove_prefix(split(bytes, sink));
        pending_ = bytes;
    } else {
        pending_ += bytes;
        pending_.erase(0, split(pending_, sink));
    }
    if (pending_.size() > maxBlock_) {
        throw SseTooLarge("an event of the stream has more than " + std::to_string(maxBlock_) + " bytes");
    }
}

std::size_t SseReader::split(std::string_view text, const Sink& sink) {
    std::size_t done = 0;
    while (const std::size_t length = blockLength(text.substr(done))) {
        lineStart_ = searched_ = 0;
        dispatch(text.substr(done, length), sink);
        done += length;
    }
    return done;
}

std::size_t SseReader::blockLength(std::string_view text) {
    while (searched_ < text.size()) {
        const char c = text[searched_];
        if (c != '\n' && c != '\r') {
            ++searched_;
            continue;
        }
        const bool blank = searched_ == lineStart_;
        if (c == '\r' && searched_ + 1 == text.size() && !blank) {
            // A line feed may follow that belongs to this line's end. After a blank line it would not matter:
            // it makes a block of its own with nothing in it.
            return 0;
        }
        searched_ += text.substr(searched_, 2) == "\r\n" ? 2 : 1;
        if (blank) {
            return searched_;
        }
        lineStart_ = searched_;
    }
    return 0;
}

void SseReader::dispatch(std::string_view raw, const Sink& sink) {
    SseBlock block;
    block.raw = raw;
    bool joining = false;
    std::string_view rest = raw;
    constexpr std::string_view byteOrderMark = "\xEF\xBB\xBF";
    if (std::exchange(atStart_, false) && rest.starts_with(byteOrderMark)) {
        rest.remove_prefix(byteOrderMark.size());
    }
    while (!rest.empty()) {
        const auto [name, value] = fieldOf(takeLine(rest));
        if (name == "event") {
            block.event = value;
        } else if (name == "data" && !block.dispatched) {
            block.data = value;
            block.dispatched = true;
        } else if (name == "data") {
            if (!std::exchange(joining, true)) {
                joined_ = block.data;
            }
            joined_ += '\n';
            joined_ += value;
            block.data = joined_;
        }
    }
    sink(block);
}

}  // namespace sallyport::plugins::llm
