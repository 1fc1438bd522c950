// Between a client's language and a provider's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/call.h>
#include <sallyport/errors.h>
#include <sallyport/json.h>
#include <sallyport/reply.h>

#include "chat.h"
#include "dialect.h"
#include "echo.h"
#include "provider.h"
#include "secret_mask.h"
#include "upstream/upstream.h"

namespace sallyport::plugins::llm {

/// The media type of Server-Sent Events.
inline constexpr const char* eventStream = "text/event-stream";

/// Reads one answer with status 2xx, whole or as it comes. [one thread at a time]
class AnswerReader {
public:
    using Pass = std::function<void(std::string_view)>;

    virtual ~AnswerReader() = default;

    /// The whole answer, for a request that was not to be streamed. @throws BadAnswer
    [[nodiscard]] virtual Reply whole(const UpstreamHead& head, std::string body) = 0;

    /// The next bytes of a stream; `pass` gets what the client is to see of them, masked. @throws BadAnswer
    virtual void feed(std::string_view bytes, const Pass& pass) = 0;
    /// Bytes of an event that has not ended. They are read when it has.
    [[nodiscard]] virtual std::size_t waiting() const { return 0; }
    /// What the client is to see after the last byte. @throws BadAnswer if the answer is not complete
    [[nodiscard]] virtual std::string end() = 0;
    /// What was held back, masked, of a stream that breaks off.
    [[nodiscard]] virtual std::string rest() { return {}; }

    /// What was used as far as the provider has told, and estimates for the rest.
    [[nodiscard]] virtual Usage usage() const = 0;
};

/// What the built-in provider says, as the client is to see it.
struct EchoAnswer {
    Usage usage;
    std::string contentType;
    std::string body;
};

/// One request of a client: what is asked of a provider for it, and how the client is answered. It refers to
/// the body of the call that it was made from. [any thread; immutable]
class Translation {
public:
    virtual ~Translation() = default;

    /// As records name it: `llm/complete`, `openai/chat/completions`.
    [[nodiscard]] virtual const std::string& endpoint() const = 0;
    /// The model that was asked for.
    [[nodiscard]] virtual const std::optional<std::string>& model() const = 0;
    /// Whether the request makes sense without a model.
    [[nodiscard]] virtual bool needsModel() const { return true; }
    /// Whether such a provider can be asked.
    [[nodiscard]] virtual bool fits(ProviderType type) const = 0;
    /// Whether the client wants the answer as it comes into being.
    [[nodiscard]] virtual bool streams() const = 0;

    /// The request to a provider, but for its key.
    /// @param model as the provider names it. @throws RequestError 422 for what it cannot be asked
    [[nodiscard]] virtual UpstreamRequest request(const Provider& provider, const std::string& model,
                                                  std::vector<std::string> dropped) const = 0;
    /// @param mask that a stream goes through, and what is put together of pieces; it must outlive the
    /// reader.
    [[nodiscard]] virtual std::unique_ptr<AnswerReader> reader(const Provider& provider,
                                                               const SecretMask& mask) const = 0;
    [[nodiscard]] virtual EchoAnswer echo(Echo& echo, const JobId& job, const std::string& id) const = 0;

    /// The event with which a stream ends that cannot go on.
    [[nodiscard]] virtual std::string brokenEvent(const RequestError& error) const = 0;
    /// Whether the client speaks the provider's language, so that the provider's own refusal is of use to it.
    [[nodiscard]] virtual bool relaysRefusals() const = 0;
};

/// One way of asking the gateway.
struct Asking {
    /// Reads a request. @throws RequestError 400 or 422
    std::function<std::unique_ptr<Translation>(const Call&, const json::Limits&)> read;
    /// Says in the client's language why a request is none.
    std::function<Reply(const RequestError&)> refusal;
};

}  // namespace sallyport::plugins::llm
