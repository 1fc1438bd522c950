// Streams of Server-Sent Events from providers: however they are cut, the same blocks come out, byte for
// byte, and no more is kept than one block may have.
#include "plugins/llm/sse_reader.h"

#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport::plugins::llm;
using sallyport::fuzz::Pieces;
using sallyport::fuzz::require;

constexpr std::size_t longest = 200;

struct Block {
    std::string event, data, raw;
    bool dispatched;

    bool operator==(const Block&) const = default;
};

struct Outcome {
    std::vector<Block> blocks;
    bool tooLarge = false;
};

bool feed(SseReader& reader, std::string_view bytes, Outcome& outcome) {
    try {
        reader.feed(bytes, [&](const SseBlock& block) {
            outcome.blocks.push_back({std::string(block.event), std::string(block.data),
                                      std::string(block.raw), block.dispatched});
        });
    } catch (const SseTooLarge&) {
        outcome.tooLarge = true;
    }
    return !outcome.tooLarge;
}

std::string joined(const std::vector<Block>& blocks) {
    std::string bytes;
    for (const Block& block : blocks) {
        bytes += block.raw;
    }
    return bytes;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = sallyport::fuzz::textOf(data, size);
    Outcome whole;
    SseReader atOnce(longest);
    feed(atOnce, input, whole);
    Outcome cut;
    SseReader byPieces(longest);
    for (Pieces pieces(input); !pieces.atEnd() && feed(byPieces, pieces.next(), cut);) {
    }
    require(input.starts_with(joined(whole.blocks)), "the blocks are what was sent");
    if (whole.tooLarge || cut.tooLarge) {
        return 0;
    }
    require(whole.blocks == cut.blocks || joined(whole.blocks) == joined(cut.blocks),
            "pieces have the same blocks in them as the whole");
    require(input.size() - joined(whole.blocks).size() <= longest, "no more is kept than a block may have");
    for (const Block& block : whole.blocks) {
        require(block.dispatched || block.data.empty(), "what has data is an event");
        require(block.data.size() <= block.raw.size(), "no event has more in it than was sent");
    }
    return 0;
}
