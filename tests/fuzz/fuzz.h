// What the fuzz targets share. libFuzzer calls LLVMFuzzerTestOneInput, which each of them defines, with
// inputs that it makes up; what is wrong ends the process, and the input is kept.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace sallyport::fuzz {

/// The input as text, so that the files of a corpus can be read and written by hand.
inline std::string_view textOf(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// Ends the process if something that must hold does not.
inline void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "it does not hold that %s\n", what);
        std::abort();
    }
}

/// Cuts a text into pieces of 1 to 16 bytes, as a network might; the same text always in the same way.
class Pieces {
public:
    explicit Pieces(std::string_view text) : rest_(text), state_(std::hash<std::string_view>()(text) | 1) {}

    [[nodiscard]] bool atEnd() const { return rest_.empty(); }

    std::string_view next() {
        // Marsaglia's xorshift.
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        const std::string_view piece = rest_.substr(0, 1 + state_ % 16);
        rest_.remove_prefix(piece.size());
        return piece;
    }

private:
    std::string_view rest_;
    std::uint64_t state_;
};

}  // namespace sallyport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
