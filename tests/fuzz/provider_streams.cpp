// Providers' answers: however a stream is cut, the same answer comes out. The first byte of the input names
// the dialect: o, a or l.
#include <optional>

#include <sallyport/json.h>

#include "plugins/llm/chat.h"
#include "plugins/llm/dialect.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport;
using namespace sallyport::plugins::llm;
using fuzz::Pieces;
using fuzz::require;

struct Outcome {
    std::optional<Completion> completion;
    std::string text;  ///< that was handed on
};

template <class Feed>
Outcome outcomeOf(const Dialect& dialect, const Feed& feed) {
    Outcome outcome;
    const auto decoder = dialect.decoder();
    try {
        feed(*decoder, [&](const Delta& delta) { outcome.text += delta.text; });
        outcome.completion = decoder->finish();
    } catch (const BadAnswer&) {
        // The text was handed on nevertheless.
    }
    static_cast<void>(decoder->usage());
    return outcome;
}

void requireCounts(const Usage& usage) {
    for (const std::int64_t count : {usage.input, usage.output, usage.cacheRead, usage.cacheWrite}) {
        require(count >= 0 && count <= 0xFFFFFFFF, "a count of tokens is from 0 to 2^32-1");
    }
}

/// What a worker is answered is JSON, whatever the provider said.
void requireJson(const Completion& completion) {
    requireCounts(completion.usage);
    static_cast<void>(json::Value::parse(completionJson(completion, false)));
    static_cast<void>(json::Value::parse(completionJson(completion, true)));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = fuzz::textOf(data, size);
    if (input.empty()) {
        return 0;
    }
    const ProviderType type = input.front() == 'a'   ? ProviderType::anthropic
                              : input.front() == 'l' ? ProviderType::ollama
                                                     : ProviderType::openai;
    input.remove_prefix(1);
    const Dialect& speaks = dialect(type);
    const Outcome whole =
        outcomeOf(speaks, [&](StreamDecoder& decoder, const auto& sink) { decoder.feed(input, sink); });
    const Outcome cut = outcomeOf(speaks, [&](StreamDecoder& decoder, const auto& sink) {
        for (Pieces pieces(input); !pieces.atEnd();) {
            decoder.feed(pieces.next(), sink);
        }
    });
    require(whole.completion.has_value() == cut.completion.has_value(),
            "pieces come to the same as the whole");
    require(whole.text == cut.text, "pieces hand on the same text as the whole");
    if (whole.completion) {
        require(whole.completion->content.value_or("") == whole.text, "an answer is what was handed on");
        require(whole.completion->content == cut.completion->content, "pieces make the same answer");
        require(whole.completion->usage == cut.completion->usage, "pieces make the same count");
        require(whole.completion->toolCalls.size() == cut.completion->toolCalls.size(),
                "pieces make the same tool calls");
        requireJson(*whole.completion);
    }
    try {
        requireJson(speaks.parse(input));
    } catch (const BadAnswer&) {
        // It is none.
    }
    require(upstreamErrorText(input).find_first_of("\r\n") == std::string::npos,
            "what is logged of an answer is one line");
    return 0;
}
