// How each kind of provider wants to be asked, and how it answers. Text in, text out: no network here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "chat.h"
#include "chat_request.h"

namespace sallyport::plugins::llm {

enum class ProviderType {
    openai,     ///< OpenAI Chat Completions, which most servers speak
    anthropic,  ///< Anthropic Messages
    ollama,     ///< Ollama's own API
    echo        ///< built in; it speaks no dialect
};

[[nodiscard]] const char* name(ProviderType type);

/// An answer that is not what the dialect says it should be. what() is for the log: it may quote the
/// upstream.
class BadAnswer : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What is not in the worker's request.
struct BodyOptions {
    std::string model;  ///< as the provider names it
    bool stream = false;
    /// Parameters that this model rejects, by the provider's names for them: `temperature`, `stop`, …
    std::vector<std::string> dropped{};
    /// Where the dialect requires a limit and the request has none.
    std::uint32_t defaultMaxTokens = 4096;
    /// openai: newer models of OpenAI want `max_completion_tokens`, most other servers know this one.
    std::string maxTokensName = "max_tokens";
    /// anthropic: has the provider cache the tools and the system prompt.
    bool cachePrompts = false;
};

/// Turns a provider's stream into pieces and, at its end, into the whole answer. [one thread at a time]
class StreamDecoder {
public:
    using Sink = std::function<void(const Delta&)>;

    virtual ~StreamDecoder() = default;

    /// Takes the next bytes, cut anywhere. @throws BadAnswer
    virtual void feed(std::string_view bytes, const Sink& sink) = 0;
    /// Bytes of an event that has not ended. They are read when it has.
    [[nodiscard]] virtual std::size_t waiting() const = 0;
    /// The answer, after the last byte. @throws BadAnswer if the stream ended before the answer did
    [[nodiscard]] virtual Completion finish() = 0;
    /// What is known so far, for a call that is broken off. Output that the provider has not counted yet is
    /// estimated; an input of 0 has not been told.
    [[nodiscard]] virtual Usage usage() const = 0;
};

/// One way of asking. [any thread; stateless]
class Dialect {
public:
    virtual ~Dialect() = default;

    /// What follows the provider's base URL.
    [[nodiscard]] virtual std::string path() const = 0;
    /// @throws RequestError 422 for what cannot be said in this dialect
    [[nodiscard]] virtual std::string body(const ChatRequest& request, const BodyOptions& options) const = 0;
    /// Reads a whole answer with status 2xx. @throws BadAnswer
    [[nodiscard]] virtual Completion parse(std::string_view answer) const = 0;
    [[nodiscard]] virtual std::unique_ptr<StreamDecoder> decoder() const = 0;
    /// What stands before the key in its header line: `Authorization: Bearer `.
    [[nodiscard]] virtual std::string_view keyHeader() const = 0;
    /// The other header lines that a request needs, besides those of its body.
    [[nodiscard]] virtual std::vector<std::string> headers() const = 0;
};

/// @throws std::invalid_argument for echo
[[nodiscard]] const Dialect& dialect(ProviderType type);

/// The sentence in the body of an error answer, for the log: on one line, of bounded length, with control
/// characters escaped. When the body has none that can be found, its beginning.
[[nodiscard]] std::string upstreamErrorText(std::string_view body);

/// The most that one answer or event of a stream may hold, whatever the upstream.
constexpr std::size_t maxEventSize = std::size_t{16} * 1024 * 1024;

}  // namespace sallyport::plugins::llm
