// What the providers' streams of Server-Sent Events have in common.
#pragma once

#include <string>
#include <string_view>

#include "answer_assembly.h"
#include "dialect.h"
#include "sse_reader.h"

namespace sallyport::plugins::llm {

/// Splits the stream into events and puts the answer together at its end. [one thread at a time]
class SseDecoder : public StreamDecoder {
public:
    void feed(std::string_view bytes, const Sink& sink) final;
    [[nodiscard]] std::size_t waiting() const final { return reader_.waiting(); }
    [[nodiscard]] Completion finish() final;

protected:
    /// Reads the data of the next event into the members below. @throws BadAnswer
    virtual void take(std::string_view data, const Sink& sink) = 0;

    AnswerAssembly assembly_;
    FinishReason finish_ = FinishReason::unknown;
    std::string model_;
    bool done_ = false;  ///< the answer is complete

private:
    SseReader reader_{maxEventSize};
};

}  // namespace sallyport::plugins::llm
