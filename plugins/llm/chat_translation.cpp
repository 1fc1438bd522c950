#include "chat_translation.h"

#include <utility>
#include <vector>

#include "stream_mask.h"

namespace sallyport::plugins::llm {

namespace {

bool acceptsEvents(const Call& call) {
    const auto accept = call.header("accept");
    return accept && accept->find(eventStream) != std::string_view::npos;
}

/// Where the event has the delta's text. @param offset of the event among others
TextPiece pieceIn(std::string_view event, const Delta& delta, std::size_t offset) {
    // In a string such a mark would be escaped.
    const std::string_view mark = delta.toolCall ? R"("arguments":")" : R"("content":")";
    const auto begin = event.find(mark) + mark.size();
    return {.channel = delta.toolCall ? delta.toolCall->index + 1 : 0,
            .begin = offset + begin,
            .size = event.rfind('"') - begin};
}

class ChatReader final : public AnswerReader {
public:
    ChatReader(const Dialect& dialect, const ChatRequest& request, const SecretMask& mask)
        : dialect_(dialect), request_(request), mask_(mask), stream_(mask) {}

    [[nodiscard]] Reply whole(const UpstreamHead& /*head*/, std::string body) override {
        const Completion completion = dialect_.parse(body);
        usage_ = completion.usage;
        return Reply::jsonText(200, mask_.masked(completionJson(completion, request_.withTools)));
    }

    void feed(std::string_view bytes, const Pass& pass) override {
        if (!decoder_) {
            decoder_ = dialect_.decoder();
        }
        std::string events;
        std::vector<TextPiece> pieces;
        decoder_->feed(bytes, [&](const Delta& delta) {
            const std::string event = deltaEvent(delta);
            pieces.push_back(pieceIn(event, delta, events.size()));
            events += event;
        });
        if (!events.empty()) {
            stream_.feed(events, pieces, pass);
        }
    }

    [[nodiscard]] std::size_t waiting() const override { return decoder_ ? decoder_->waiting() : 0; }

    [[nodiscard]] std::string end() override {
        if (!decoder_) {
            throw BadAnswer("the stream is empty");
        }
        const Completion completion = decoder_->finish();
        usage_ = completion.usage;
        return stream_.end() + mask_.masked(completionEvent(completion, request_.withTools));
    }

    [[nodiscard]] std::string rest() override { return stream_.end(); }

    [[nodiscard]] Usage usage() const override {
        Usage usage = decoder_ ? decoder_->usage() : usage_;
        if (usage.input == 0) {  // the provider has not said
            usage.input = request_.estimatedInput;
        }
        return usage;
    }

private:
    const Dialect& dialect_;
    const ChatRequest& request_;
    const SecretMask& mask_;
    StreamMask stream_;
    std::unique_ptr<StreamDecoder> decoder_;
    Usage usage_;
};

}  // namespace

ChatTranslation::ChatTranslation(const Call& call, const json::Limits& limits, bool withTools,
                                 const ChatOptions& options)
    : request_(parseChatRequest(call.body(), withTools, limits)),
      options_(options),
      streams_(acceptsEvents(call)) {}

const std::string& ChatTranslation::endpoint() const {
    static const std::string plain = "llm/complete";
    static const std::string tools = "llm/complete_with_tools";
    return request_.withTools ? tools : plain;
}

UpstreamRequest ChatTranslation::request(const Provider& provider, const std::string& model,
                                         std::vector<std::string> dropped) const {
    const Dialect& language = dialect(provider.type);
    UpstreamRequest request;
    request.method = "POST";
    request.url = provider.baseUrl + language.path();
    request.headers = language.headers();
    request.headers.emplace_back("Content-Type: application/json");
    request.headers.push_back(streams_ ? "Accept: text/event-stream" : "Accept: application/json");
    request.body = std::make_shared<const std::string>(
        language.body(request_, {.model = model,
                                 .stream = streams_,
                                 .dropped = std::move(dropped),
                                 .defaultMaxTokens = options_.defaultMaxTokens,
                                 .maxTokensName = options_.maxTokensName,
                                 .cachePrompts = options_.cachePrompts}));
    request.endpoint = provider.endpoint;
    return request;
}

std::unique_ptr<AnswerReader> ChatTranslation::reader(const Provider& provider,
                                                      const SecretMask& mask) const {
    return std::make_unique<ChatReader>(dialect(provider.type), request_, mask);
}

EchoAnswer ChatTranslation::echo(Echo& echo, const JobId& job, const std::string& /*id*/) const {
    const Completion completion = echo.answer(job, request_);
    if (!streams_) {
        return {completion.usage, "application/json", completionJson(completion, request_.withTools)};
    }
    EchoAnswer answer{completion.usage, eventStream, {}};
    for (const Delta& delta : pieces(completion)) {
        answer.body += deltaEvent(delta);
    }
    answer.body += completionEvent(completion, request_.withTools);
    return answer;
}

std::string ChatTranslation::brokenEvent(const RequestError& error) const {
    return errorEvent(error.code(), error.what());
}

}  // namespace sallyport::plugins::llm
