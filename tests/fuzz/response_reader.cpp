// Providers' answers on the wire: however they are cut, the same comes out.
#include "plugins/llm/upstream/response_reader.h"

#include <span>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport::plugins::llm;
using sallyport::fuzz::Pieces;
using sallyport::fuzz::require;

struct Heard final : ResponseSink {
    void onResponseHead(UpstreamHead got) override {
        require(heads++ == 0, "there is one head");
        head = std::move(got);
    }
    void onContent(std::string_view piece) override {
        require(heads == 1, "a head comes before the content");
        content += piece;
    }
    [[nodiscard]] bool wantsMore() const override { return true; }

    int heads = 0;
    UpstreamHead head;
    std::string content;
    bool complete = false;
    bool keeps = false;
    std::string problem;
    std::size_t taken = 0;
};

template <class Next>
Heard heardOf(const Next& next) {
    Heard heard;
    ResponseReader reader(heard);
    std::string kept;
    for (std::string_view piece = next(); !piece.empty() && reader.problem().empty() && !reader.complete();
         piece = next()) {
        kept += piece;
        const std::size_t taken = reader.feed({kept.data(), kept.size()});
        require(taken <= kept.size(), "no more is taken than there is");
        heard.taken += taken;
        kept.erase(0, taken);
    }
    reader.end();
    heard.complete = reader.complete();
    heard.keeps = reader.keepsConnection();
    heard.problem = reader.problem();
    require(heard.complete != !heard.problem.empty(), "an answer is complete or has a problem");
    require(!heard.complete || heard.heads == 1, "a complete answer has a head");
    return heard;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = sallyport::fuzz::textOf(data, size);
    std::string_view once = input;
    const Heard whole = heardOf([&] { return std::exchange(once, {}); });
    Pieces pieces(input);
    const Heard cut = heardOf([&] { return pieces.atEnd() ? std::string_view() : pieces.next(); });
    require(whole.complete == cut.complete, "pieces come to the same as the whole");
    if (whole.complete) {
        require(whole.head.status == cut.head.status, "pieces make the same status");
        require(whole.head.headers == cut.head.headers, "pieces make the same headers");
        require(whole.content == cut.content, "pieces make the same content");
        require(whole.keeps == cut.keeps, "pieces leave the connection as the whole does");
        require(whole.taken == cut.taken, "pieces end where the whole does");
    }
    return 0;
}
