// The command line's reading of live events: however a stream is cut, the same events come out.
#include "host/client/sse_parser.h"

#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport::host::client;
using sallyport::fuzz::Pieces;
using sallyport::fuzz::require;

void take(SseParser& parser, std::vector<SseEvent>& events) {
    while (auto event = parser.next()) {
        events.push_back(*std::move(event));
    }
}

bool same(const SseEvent& a, const SseEvent& b) {
    return a.id == b.id && a.type == b.type && a.data == b.data;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = sallyport::fuzz::textOf(data, size);
    SseParser atOnce;
    SseParser byPieces;
    std::vector<SseEvent> whole;
    std::vector<SseEvent> cut;
    atOnce.feed(input);
    take(atOnce, whole);
    for (Pieces pieces(input); !pieces.atEnd();) {
        byPieces.feed(pieces.next());
        take(byPieces, cut);
    }
    require(std::equal(whole.begin(), whole.end(), cut.begin(), cut.end(), same),
            "pieces have the same events in them as the whole");
    std::size_t bytes = 0;
    for (const SseEvent& event : whole) {
        require(!event.type.empty(), "an event has a type");
        require(!event.id || event.id->find_first_of(std::string_view("\0\r\n", 3)) == std::string::npos,
                "an id can be sent back in a header");
        require(event.type.find_first_of("\r\n") == std::string::npos, "a type is one line");
        bytes += event.data.size();
    }
    require(bytes <= input.size(), "no event has more in it than was sent");
    return 0;
}
