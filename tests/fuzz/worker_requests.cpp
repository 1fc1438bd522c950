// What workers ask models, and what is asked of providers in their stead: always JSON. The first byte of the
// input names the endpoint.
#include <sallyport/errors.h>
#include <sallyport/json.h>

#include "plugins/llm/chat_request.h"
#include "plugins/llm/dialect.h"
#include "plugins/llm/native.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport;
using namespace sallyport::plugins::llm;
using fuzz::require;

constexpr json::Limits limits{.depth = 16, .values = 256};

void requireJson(const std::string& body) {
    try {
        require(json::Value::parse(body, json::unlimited).kind() == json::Kind::object,
                "a body is an object");
    } catch (const json::ParseError&) {
        require(false, "what is asked of a provider is JSON");
    }
}

void askInDialects(std::string_view body, bool withTools) {
    const ChatRequest request = parseChatRequest(body, withTools, limits);
    require(request.estimatedInput >= 0, "an estimate is no debt");
    for (const ProviderType type : {ProviderType::openai, ProviderType::anthropic, ProviderType::ollama}) {
        try {
            requireJson(dialect(type).body(request, {.model = "m", .stream = true, .cachePrompts = true}));
        } catch (const RequestError&) {
            // It cannot be said in that dialect.
        }
    }
}

void passOn(NativeEndpoint endpoint, std::string_view body) {
    const NativeRequest request = inspect(endpoint, body, limits);
    Rewrite rewrite;
    require(rewritten(request, rewrite).size() >= body.size(), "what is not changed stays");
    rewrite.model = "another";
    rewrite.addUsage = true;
    rewrite.dropped = {"temperature", "stop"};
    requireJson(rewritten(request, rewrite));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = fuzz::textOf(data, size);
    if (input.empty()) {
        return 0;
    }
    const char endpoint = input.front();
    input.remove_prefix(1);
    try {
        switch (endpoint) {
            case 'c':
                passOn(NativeEndpoint::chatCompletions, input);
                break;
            case 'r':
                passOn(NativeEndpoint::responses, input);
                break;
            case 'm':
                passOn(NativeEndpoint::messages, input);
                break;
            case 't':
                askInDialects(input, true);
                break;
            default:
                askInDialects(input, false);
                break;
        }
    } catch (const RequestError& refusal) {
        require(refusal.status() >= 400 && refusal.status() < 500, "the worker is to blame");
    }
    return 0;
}
