// What a body may grow to while it is handled.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include <sallyport/json.h>

namespace sallyport::host::http {

/// Bytes that taking a JSON text apart may need beside the text itself, found out while it comes in and
/// without reading it as JSON. For nearly all texts that is nothing worth counting, because most of their
/// bytes are in strings. [one thread at a time]
class JsonMemory {
public:
    /// @param limits of what is read; a text that goes beyond them is refused by who reads it.
    explicit JsonMemory(const json::Limits& limits = {}) : limits_(limits) {}

    /// The next piece of the text, cut anywhere.
    void add(std::string_view piece);

    [[nodiscard]] std::size_t bytes() const {
        const std::size_t needed = std::min(separators_, limits_.values) * bytesPerValue;
        return needed > much * size_ ? needed : 0;
    }

private:
    /// What json::Object keeps of a member, and about what llm keeps of what it is asked.
    static constexpr std::size_t bytesPerValue = 56;
    /// What a text is taken apart into is no more than this many times its size, unless it is odd.
    static constexpr std::size_t much = 2;

    /// Both look at the beginning of `piece`. @return how much of it belongs there
    [[nodiscard]] std::size_t addUpToString(std::string_view piece);
    [[nodiscard]] std::size_t skipString(std::string_view piece);

    json::Limits limits_;
    std::size_t size_ = 0;
    std::size_t separators_ = 0;  ///< never fewer than there are values
    bool inString_ = false;
    bool escaped_ = false;  ///< the next character of the string is
};

}  // namespace sallyport::host::http
