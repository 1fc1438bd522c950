#include "native_translation.h"

#include <algorithm>
#include <utility>

#include <Poco/URI.h>

#include "stream_mask.h"

namespace sallyport::plugins::llm {

namespace {

constexpr const char* jsonType = "application/json";
constexpr std::size_t longestForwarded = 1024;
constexpr std::size_t longestModel = 256;

/// Headers of a provider's answer that its SDKs look at. Others tell of the operator's account.
constexpr std::string_view relayedHeaders[] = {"retry-after", "request-id", "openai-processing-ms",
                                               "openai-version", "x-should-retry"};

bool isForwardable(std::string_view value) {
    return value.size() <= longestForwarded && std::all_of(value.begin(), value.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                      std::string_view(" ,;=._-").find(c) != std::string_view::npos;
           });
}

Reply withHeaders(Reply reply, const UpstreamHead& head) {
    for (const auto& [name, value] : head.headers) {
        if (std::find(std::begin(relayedHeaders), std::end(relayedHeaders), name) !=
            std::end(relayedHeaders)) {
            reply.header(name, value);
        }
    }
    return reply;
}

/// The lines that every request to such a provider has, and the client's where they say the same.
void addHeaders(UpstreamRequest& request, ProviderType type, const Call& call,
                const ForwardedHeaders& names) {
    std::vector<std::string> lines = forwarded(call, names);
    for (std::string& line : dialect(type).headers()) {
        const std::string_view name = std::string_view(line).substr(0, line.find(':'));
        const bool said = std::any_of(lines.begin(), lines.end(), [name](const std::string& other) {
            return other.starts_with(name) && other.size() > name.size() && other[name.size()] == ':';
        });
        if (!said) {
            lines.push_back(std::move(line));
        }
    }
    request.headers.insert(request.headers.end(), lines.begin(), lines.end());
}

class NativeReader final : public AnswerReader {
public:
    NativeReader(const NativeRequest& request, bool hideUsage, const SecretMask& mask)
        : meter_(request.endpoint,
                 // Counting is free.
                 request.endpoint == NativeEndpoint::countTokens ? 0 : request.estimatedInput, hideUsage),
          stream_(mask) {}

    [[nodiscard]] Reply whole(const UpstreamHead& head, std::string body) override {
        meter_.whole(body);
        return withHeaders(Reply::jsonText(head.status, std::move(body)), head);
    }

    void feed(std::string_view bytes, const Pass& pass) override {
        try {
            meter_.feed(bytes, [&](std::string_view passed) { stream_.feed(passed, meter_.pieces(), pass); });
        } catch (const SseTooLarge& error) {
            throw BadAnswer(error.what());
        }
    }

    [[nodiscard]] std::size_t waiting() const override { return meter_.waiting(); }

    [[nodiscard]] std::string end() override {
        if (!meter_.complete()) {
            throw BadAnswer("the stream ended before the answer did");
        }
        return stream_.end();
    }

    [[nodiscard]] std::string rest() override { return stream_.end(); }

    [[nodiscard]] Usage usage() const override { return meter_.usage(); }

private:
    NativeMeter meter_;
    StreamMask stream_;
};

/// Reads a list of models, or one.
class ModelsReader final : public AnswerReader {
public:
    explicit ModelsReader(const Models& models) : models_(models) {}

    [[nodiscard]] Reply whole(const UpstreamHead& head, std::string body) override {
        try {
            return withHeaders(Reply::jsonText(head.status, allowedOf(body)), head);
        } catch (const json::ParseError& error) {
            throw BadAnswer(error.what());
        }
    }

    void feed(std::string_view /*bytes*/, const Pass& /*pass*/) override {
        throw BadAnswer("a list of models is no stream");
    }
    [[nodiscard]] std::string end() override { throw BadAnswer("a list of models is no stream"); }
    [[nodiscard]] Usage usage() const override { return {}; }

private:
    /// The answer without the models of its `data` that jobs may not use; all else stays as it is.
    [[nodiscard]] std::string allowedOf(const std::string& body) const {
        const json::Value answer = json::Value::parse(body);
        const json::Object object = answer.object();
        const json::Value* const data = object.find("data");
        if (data == nullptr || data->kind() != json::Kind::array) {
            return body;
        }
        std::string kept;
        for (const json::Value& model : data->elements()) {
            const json::Object members = model.object();
            const json::Value* const id = members.find("id");
            if (id != nullptr && models_.allows(id->string().value_or(""))) {
                kept += (kept.empty() ? "" : ",") + std::string(model.raw());
            }
        }
        const auto begin = static_cast<std::size_t>(data->raw().data() - body.data());
        return body.substr(0, begin) + "[" + kept + "]" + body.substr(begin + data->raw().size());
    }

    const Models& models_;
};

/// A name that means nothing but itself inside a path.
std::string modelPath(const std::string& model) {
    std::string path;
    Poco::URI::encode(model, "/?#%[]@!$&'()*+,;=", path);
    return path;
}

bool isModelName(const std::string& name) {
    return !name.empty() && name.size() <= longestModel && name.find("..") == std::string::npos &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~' && c != '\\'; });
}

}  // namespace

std::vector<std::string> forwarded(const Call& call, const ForwardedHeaders& names) {
    std::vector<std::string> lines;
    for (const std::string& name : names) {
        if (const auto value = call.header(name); value && isForwardable(*value)) {
            lines.push_back(name + ": " + std::string(*value));
        }
    }
    return lines;
}

Reply nativeRefusal(ProviderType type, const RequestError& error) {
    Reply reply =
        Reply::jsonText(error.status(), nativeError(type, error.status(), error.code(), error.what()));
    if (error.retryAfter()) {
        reply.header("Retry-After", std::to_string(error.retryAfter()->count()));
    }
    return reply;
}

NativeTranslation::NativeTranslation(const Call& call, const json::Limits& limits, NativeEndpoint endpoint,
                                     const ForwardedHeaders& names)
    : call_(call),
      names_(names),
      request_(inspect(endpoint, call.body(), limits)),
      name_(std::string(llm::name(providerType(endpoint))) + std::string(path(endpoint))) {}

bool NativeTranslation::fits(ProviderType type) const {
    return type == providerType(request_.endpoint) || type == ProviderType::echo;
}

bool NativeTranslation::addsUsage() const {
    return request_.endpoint == NativeEndpoint::chatCompletions && request_.stream && !request_.usageAsked;
}

UpstreamRequest NativeTranslation::request(const Provider& provider, const std::string& model,
                                           std::vector<std::string> dropped) const {
    UpstreamRequest request;
    request.method = "POST";
    request.url = provider.baseUrl + std::string(path(request_.endpoint));
    request.headers.emplace_back("Content-Type: application/json");
    request.headers.push_back(request_.stream ? "Accept: text/event-stream" : "Accept: application/json");
    addHeaders(request, provider.type, call_, names_);
    request.body = std::make_shared<const std::string>(
        rewritten(request_, {.model = model == request_.model ? "" : model,
                             .dropped = std::move(dropped),
                             .addUsage = addsUsage()}));
    request.endpoint = provider.endpoint;
    return request;
}

std::unique_ptr<AnswerReader> NativeTranslation::reader(const Provider& /*provider*/,
                                                        const SecretMask& mask) const {
    return std::make_unique<NativeReader>(request_, addsUsage(), mask);
}

EchoAnswer NativeTranslation::echo(Echo& echo, const JobId& job, const std::string& id) const {
    const Completion completion = echo.answer(job, request_);
    if (!request_.stream) {
        return {completion.usage, jsonType, nativeAnswer(request_.endpoint, completion, id)};
    }
    EchoAnswer answer{completion.usage, eventStream, {}};
    for (const std::string& event : nativeStream(request_.endpoint, completion, id, request_.usageAsked)) {
        answer.body += event;
    }
    return answer;
}

std::string NativeTranslation::brokenEvent(const RequestError& error) const {
    return streamError(request_.endpoint, error.code(), error.what());
}

ModelsTranslation::ModelsTranslation(const Call& call, ProviderType type, std::optional<std::string> asked,
                                     const Models& models, const ForwardedHeaders& names)
    : call_(call),
      type_(type),
      asked_(std::move(asked)),
      models_(models),
      names_(names),
      name_(std::string(llm::name(type)) + "/models") {
    if (asked_ && !isModelName(*asked_)) {
        throw notFound("there is no such model");
    }
}

bool ModelsTranslation::fits(ProviderType type) const {
    return type == type_ || type == ProviderType::echo;
}

UpstreamRequest ModelsTranslation::request(const Provider& provider, const std::string& model,
                                           std::vector<std::string> /*dropped*/) const {
    UpstreamRequest request;
    request.method = "GET";
    request.url = provider.baseUrl + (type_ == ProviderType::anthropic ? "/v1/models" : "/models");
    if (asked_) {
        request.url += "/" + modelPath(model);
    }
    request.headers.emplace_back("Accept: application/json");
    addHeaders(request, provider.type, call_, names_);
    request.endpoint = provider.endpoint;
    return request;
}

std::unique_ptr<AnswerReader> ModelsTranslation::reader(const Provider& /*provider*/,
                                                        const SecretMask& /*mask*/) const {
    return std::make_unique<ModelsReader>(models_);
}

EchoAnswer ModelsTranslation::echo(Echo& /*echo*/, const JobId& /*job*/, const std::string& /*id*/) const {
    if (asked_) {
        return {{}, jsonType, nativeModel(type_, *asked_)};
    }
    std::vector<std::string> names = models_.names();
    names.emplace_back(Echo::modelName);
    return {{}, jsonType, nativeModels(type_, names)};
}

std::string ModelsTranslation::brokenEvent(const RequestError& /*error*/) const {
    return {};
}

}  // namespace sallyport::plugins::llm
