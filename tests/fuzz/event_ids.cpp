// Where a subscriber wants to go on: a number that was sent, or nothing.
#include <limits>

#include "plugins/events/event_id.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using sallyport::fuzz::require;
    std::string_view text = sallyport::fuzz::textOf(data, size);
    const auto id = sallyport::plugins::eventId(text);
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
    require(!id || digits, "what is no number is none");
    text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
    if (id) {
        require(*id <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()),
                "the database can be asked for it");
        require(text.empty() ? *id == 0 : std::to_string(*id) == text, "a number is the one that was sent");
    } else {
        require(!digits || text.size() >= std::to_string(std::numeric_limits<std::int64_t>::max()).size(),
                "a number that was sent is known");
    }
    return 0;
}
