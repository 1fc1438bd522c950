#include "host/http/json_memory.h"

#include <cstdint>

namespace sallyport::host::http {

namespace {

/// Each value is the first in its container or comes after a comma.
constexpr bool separates(char c) {
    return c == ',' || c == '[' || c == '{';
}

/// Of so many characters at a time, which the compiler makes a few instructions of.
constexpr std::size_t blockSize = 128;

std::size_t separatorsIn(const char* block) {
    std::uint8_t count = 0;
    for (std::size_t i = 0; i < blockSize; ++i)
        count = static_cast<std::uint8_t>(count + (separates(block[i]) ? 1 : 0));
    return count;
}

}  // namespace

void JsonMemory::add(std::string_view piece) {
    size_ += piece.size();
    for (; piece.size() >= blockSize; piece.remove_prefix(blockSize))
        separators_ += separatorsIn(piece.data());
    separators_ += static_cast<std::size_t>(std::count_if(piece.begin(), piece.end(), separates));
}

}  // namespace sallyport::host::http
