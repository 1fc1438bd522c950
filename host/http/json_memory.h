// What a body may grow to while it is handled.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include <sallyport/json.h>

namespace sallyport::host::http {

/// Bytes that taking a JSON text apart may need beside the text itself, found out while it comes in and
/// without reading it as JSON. For nearly all texts that is nothing worth counting, because few of their
/// bytes separate values. [one thread at a time]
class JsonMemory {
public:
    /// @param limits of what is read; a text that goes beyond them is refused by who reads it.
    explicit JsonMemory(const json::Limits& limits = {}) : limits_(limits) {}

    /// The next piece of the text.
    void add(std::string_view piece);

    [[nodiscard]] std::size_t bytes() const {
        const std::size_t needed = std::min(separators_, limits_.values) * bytesPerValue;
        return needed > much * size_ ? needed : 0;
    }

private:
    /// About what json::Object keeps of a member, and llm of what it is asked.
    static constexpr std::size_t bytesPerValue = 64;
    /// Prose has a comma for each 64 bytes or so.
    static constexpr std::size_t much = 2;

    json::Limits limits_;
    std::size_t size_ = 0;
    std::size_t separators_ = 0;  ///< in strings too: never fewer than there are values
};

}  // namespace sallyport::host::http
