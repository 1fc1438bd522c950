#include "sse_decoder.h"

namespace sallyport::plugins::llm {

void SseDecoder::feed(std::string_view bytes, const Sink& sink) {
    try {
        reader_.feed(bytes, [&](const SseBlock& block) {
            if (block.dispatched) {
                take(block.data, sink);
            }
        });
    } catch (const SseTooLarge& error) {
        throw BadAnswer(error.what());
    }
}

Completion SseDecoder::finish() {
    if (!done_) {
        throw BadAnswer("the stream ended before the answer did");
    }
    const Usage used = usage();
    Completion completion = assembly_.take();
    completion.usage = used;
    completion.finish = finish_;
    completion.model = model_;
    return completion;
}

}  // namespace sallyport::plugins::llm
