#include "host/http/json_memory.h"

namespace sallyport::host::http {

namespace {

/// Each value is the first in its container or comes after a comma.
bool separates(char c) {
    return c == ',' || c == '[' || c == '{';
}

}  // namespace

void JsonMemory::add(std::string_view piece) {
    size_ += piece.size();
    while (!piece.empty()) {
        piece.remove_prefix(inString_ ? skipString(piece) : addUpToString(piece));
    }
}

std::size_t JsonMemory::addUpToString(std::string_view piece) {
    const auto quote = piece.find('"');
    const auto outside = piece.substr(0, quote);
    separators_ += static_cast<std::size_t>(std::count_if(outside.begin(), outside.end(), separates));
    inString_ = quote != std::string_view::npos;
    return inString_ ? quote + 1 : piece.size();
}

std::size_t JsonMemory::skipString(std::string_view piece) {
    if (escaped_) {
        escaped_ = false;
        return 1;
    }
    const auto quote = piece.find('"');
    const auto inside = piece.substr(0, quote);
    // Of backslashes in a row, each second one is escaped itself.
    const auto plain = inside.find_last_not_of('\\');
    const bool odd = (inside.size() - (plain == std::string_view::npos ? 0 : plain + 1)) % 2 == 1;
    if (quote == std::string_view::npos) {
        escaped_ = odd;
        return piece.size();
    }
    inString_ = odd;
    return quote + 1;
}

}  // namespace sallyport::host::http
