// Compressed answers: however they are cut, the same comes out, and nothing is decoded that nobody wants.
#include "plugins/llm/upstream/content_decoder.h"

#include <memory>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport::plugins::llm;
using sallyport::fuzz::Pieces;
using sallyport::fuzz::require;

constexpr std::size_t most = std::size_t{256} * 1024;
constexpr std::size_t piece = std::size_t{32} * 1024;

struct Outcome {
    std::string content;
    bool sound = true;
};

void add(ContentDecoder& decoder, std::string_view bytes, Outcome& outcome) {
    decoder.add(bytes);
    outcome.sound = decoder.decode([&](std::string_view decoded) { outcome.content += decoded; },
                                   [&] { return outcome.content.size() < most; });
    require(outcome.content.size() < most + piece, "no more is decoded than is wanted");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = sallyport::fuzz::textOf(data, size);
    Outcome whole;
    const auto atOnce = ContentDecoder::of("gzip");
    add(*atOnce, input, whole);
    Outcome cut;
    const auto byPieces = ContentDecoder::of("deflate");
    for (Pieces pieces(input); cut.sound && !pieces.atEnd();) {
        add(*byPieces, pieces.next(), cut);
    }
    if (whole.content.size() >= most) {
        return 0;  // it was not read to its end
    }
    require(whole.sound == cut.sound, "pieces come to the same as the whole");
    require(whole.content == cut.content, "pieces make the same content");
    require(!whole.sound || atOnce->complete() == byPieces->complete(), "pieces end where the whole does");
    return 0;
}
