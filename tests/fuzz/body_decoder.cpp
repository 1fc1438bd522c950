// Request bodies: however they are cut, the same comes out, and no more than was allowed. The first line of
// the input is the length, or `chunked`.
#include "host/http/body_decoder.h"

#include <charconv>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport::host::http;
using sallyport::fuzz::Pieces;
using sallyport::fuzz::require;
using State = BodyDecoder::State;

constexpr std::size_t limit = 256;

struct Outcome {
    std::string body;
    State state = State::reading;
    std::size_t taken = 0;
};

/// Feeds what was received, as a connection does: what is not taken is kept for the next time.
void feed(BodyDecoder& decoder, std::string_view input, std::string& kept, Outcome& outcome) {
    kept += input;
    const std::size_t taken = decoder.feed(kept, outcome.body);
    require(taken <= kept.size(), "no more is taken than there is");
    kept.erase(0, taken);
    outcome.taken += taken;
    outcome.state = decoder.state();
    require(outcome.body.size() <= limit, "a body stays within its limit");
}

Outcome inOne(const RequestHead& head, std::string_view input) {
    Outcome outcome;
    BodyDecoder decoder(head, limit);
    std::string kept;
    outcome.state = decoder.state();
    if (outcome.state == State::reading) {
        feed(decoder, input, kept, outcome);
    }
    return outcome;
}

Outcome inPieces(const RequestHead& head, std::string_view input) {
    Outcome outcome;
    BodyDecoder decoder(head, limit);
    std::string kept;
    outcome.state = decoder.state();
    for (Pieces pieces(input); outcome.state == State::reading && !pieces.atEnd();) {
        feed(decoder, pieces.next(), kept, outcome);
    }
    return outcome;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = sallyport::fuzz::textOf(data, size);
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(line.size() + 1, input.size()));
    RequestHead head;
    head.framing = line == "chunked" ? Framing::chunked : Framing::length;
    std::from_chars(line.data(), line.data() + line.size(), head.length);
    if (head.framing == Framing::length && head.length == 0) {
        return 0;  // that is no body, as the head's reader finds
    }

    const Outcome whole = inOne(head, input);
    const Outcome cut = inPieces(head, input);
    require(whole.state == cut.state, "pieces come to the same as the whole");
    // One that is refused may have been looked at further or less far.
    if (whole.state == State::complete) {
        require(whole.taken == cut.taken, "pieces end where the whole does");
        require(whole.body == cut.body, "pieces make the same body as the whole");
        require(head.framing == Framing::chunked || whole.body.size() == head.length,
                "a counted body has its length");
    }
    return 0;
}
