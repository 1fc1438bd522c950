#include "native.h"

#include <algorithm>
#include <utility>

#include <sallyport/ascii.h>
#include <sallyport/json_writer.h>

#include "body_text.h"
#include "request_body.h"

namespace sallyport::plugins::llm {

namespace {

// --- Looking at a request -------------------------------------------------------------------------------

/// Many more than any of the APIs has.
constexpr std::size_t mostRequestMembers = 1000;

/// The members that decide what a request means to us.
constexpr std::string_view ourMembers[] = {"model", "stream", "stream_options"};

bool isOurs(std::string_view name) {
    return std::find(std::begin(ourMembers), std::end(ourMembers), name) != std::end(ourMembers);
}

/// Servers exist that take the last one of two members, or the first, or heed no letter case.
void requireUnambiguous(const std::vector<NativeRequest::Member>& members) {
    for (const std::string_view name : ourMembers) {
        const auto named = [&](const NativeRequest::Member& member) { return member.name == name; };
        if (std::count_if(members.begin(), members.end(), named) > 1) {
            throw invalidField(name, "is given more than once");
        }
    }
    for (const NativeRequest::Member& member : members) {
        if (!isOurs(member.name) && isOurs(ascii::lowered(member.name))) {
            throw invalidField(ascii::lowered(member.name), "must be written in lower case");
        }
    }
}

const NativeRequest::Member* find(const NativeRequest& request, std::string_view name) {
    const auto found = std::find_if(request.members.begin(), request.members.end(),
                                    [&](const NativeRequest::Member& member) { return member.name == name; });
    return found == request.members.end() ? nullptr : &*found;
}

std::string_view valueOf(const NativeRequest& request, const NativeRequest::Member& member) {
    return request.body.substr(member.value, member.end - member.value);
}

/// A value that was checked already.
json::Value checked(std::string_view raw) {
    return {json::Reader(raw).kind(), raw};
}

/// The value of a member that may be absent or null.
std::optional<json::Value> optionalValue(const NativeRequest& request, std::string_view name) {
    const NativeRequest::Member* const member = find(request, name);
    if (member == nullptr) {
        return std::nullopt;
    }
    const json::Value value = checked(valueOf(request, *member));
    return value.kind() == json::Kind::null ? std::nullopt : std::optional(value);
}

void requireKind(std::string_view name, const json::Value& value, json::Kind wanted) {
    if (value.kind() != wanted) {
        throw invalidField(
            name, std::string("must be ") + json::describe(wanted) + ", not " + json::describe(value.kind()));
    }
}

bool hasStreams(NativeEndpoint endpoint) {
    return endpoint != NativeEndpoint::embeddings && endpoint != NativeEndpoint::countTokens;
}

void readMeaning(NativeRequest& request) {
    if (const auto model = optionalValue(request, "model")) {
        requireKind("model", *model, json::Kind::string);
        request.model = model->string();
        requireModelName(*request.model);
    }
    if (const auto stream = optionalValue(request, "stream"); stream && hasStreams(request.endpoint)) {
        requireKind("stream", *stream, json::Kind::boolean);
        request.stream = stream->boolean() == true;
    }
    if (const auto options = optionalValue(request, "stream_options");
        options && request.endpoint == NativeEndpoint::chatCompletions) {
        requireKind("stream_options", *options, json::Kind::object);
        request.usageAsked = options->object().optionalBoolean("include_usage") == true;
    }
}

NativeRequest readRequest(NativeEndpoint endpoint, std::string_view body, json::Reader& reader) {
    NativeRequest request;
    request.endpoint = endpoint;
    request.body = body;
    reader.enterObject();
    while (const auto name = reader.nextMember()) {
        NativeRequest::Member member{std::string(*name), reader.memberStart(), 0, 0};
        const std::string_view value = reader.skip();
        member.end = reader.position();
        member.value = member.end - value.size();
        request.members.push_back(std::move(member));
        if (request.members.size() > mostRequestMembers) {
            throw RequestError(422, "invalid_body",
                               "the body has more than " + std::to_string(mostRequestMembers) + " members");
        }
    }
    reader.end();
    requireUnambiguous(request.members);
    readMeaning(request);
    request.estimatedInput = estimatedTokens(reader.textBytes());
    return request;
}

// --- Changing it ----------------------------------------------------------------------------------------

constexpr std::string_view askForUsage = R"("include_usage":true)";

bool isDropped(const std::vector<std::string>& dropped, std::string_view name) {
    return name != "model" && name != "stream" &&
           std::find(dropped.begin(), dropped.end(), name) != dropped.end();
}

/// `stream_options` as it was, but for the wish to know the usage.
std::string streamOptions(const std::optional<json::Value>& options) {
    std::string out = "{" + std::string(askForUsage);
    if (options) {
        const json::Object members = options->object();
        for (const json::Object::Member& member : members.members()) {
            if (member.name != "include_usage") {
                out += ',' + json::quote(member.name) + ':';
                out += member.value.raw();
            }
        }
    }
    return out + '}';
}

/// Copies a body, member by member, with some of them replaced, left out or added.
class Splice {
public:
    Splice(const NativeRequest& request, const Rewrite& rewrite) : request_(request), rewrite_(rewrite) {
        if (!rewrite.model.empty() && rewrite.model != request.model) {
            model_ = json::quote(rewrite.model);
        }
        if (rewrite.addUsage && request.endpoint == NativeEndpoint::chatCompletions && request.stream &&
            !request.usageAsked && !isDropped(rewrite.dropped, "stream_options")) {
            options_ = streamOptions(optionalValue(request, "stream_options"));
        }
    }

    [[nodiscard]] std::string text() {
        const std::string_view body = request_.body;
        out_.reserve(body.size() + model_.size() + options_.size() + 64);
        copied_ = body.find('{') + 1;
        out_ = body.substr(0, copied_);
        addMissing("model", model_);
        addMissing("stream_options", options_);
        for (const NativeRequest::Member& member : request_.members) {
            take(member);
        }
        out_ += body.substr(copied_);
        return std::move(out_);
    }

private:
    void addMissing(std::string_view name, const std::string& value) {
        if (!value.empty() && find(request_, name) == nullptr) {
            out_ += any_ ? "," : "";
            out_ += '"' + std::string(name) + "\":" + value;
            any_ = true;
            added_ = true;
        }
    }

    void take(const NativeRequest::Member& member) {
        const std::size_t from = std::exchange(copied_, member.end);
        if (isDropped(rewrite_.dropped, member.name)) {
            return;
        }
        // What stands between two members stays, so long as it separates two that are still there.
        std::string_view between = request_.body.substr(from, member.begin - from);
        if (!any_ || (added_ && between.find(',') == std::string_view::npos)) {
            out_ += any_ ? "," : "";
            between.remove_prefix(std::min(between.find(',') + 1, between.size()));
        }
        out_ += between;
        any_ = true;
        added_ = false;
        const std::string& replacement = member.name == "model"            ? model_
                                         : member.name == "stream_options" ? options_
                                                                           : none_;
        out_ += request_.body.substr(member.begin, member.value - member.begin);
        out_ += replacement.empty() ? valueOf(request_, member) : std::string_view(replacement);
    }

    const NativeRequest& request_;
    const Rewrite& rewrite_;
    const std::string none_;
    std::string model_;
    std::string options_;
    std::string out_;
    std::size_t copied_ = 0;  ///< how much of the body has been dealt with
    bool any_ = false;        ///< whether a member was written
    bool added_ = false;      ///< whether the last one written was none of the body's
};

// --- Errors ---------------------------------------------------------------------------------------------

struct ErrorType {
    int status;
    std::string_view openai;
    std::string_view anthropic;
};

constexpr ErrorType errorTypes[] = {
    {400, "invalid_request_error", "invalid_request_error"},
    {401, "invalid_request_error", "authentication_error"},
    {403, "invalid_request_error", "permission_error"},
    {404, "invalid_request_error", "not_found_error"},
    {413, "invalid_request_error", "request_too_large"},
    {415, "invalid_request_error", "invalid_request_error"},
    {422, "invalid_request_error", "invalid_request_error"},
    {429, "rate_limit_error", "rate_limit_error"},
    {503, "server_error", "overloaded_error"},
};
constexpr ErrorType otherError = {0, "server_error", "api_error"};

void writeOpenAiError(json::Writer& writer, std::string_view type, std::string_view code,
                      std::string_view message) {
    writer.key("error").beginObject().member("message", message).member("type", type);
    writer.key("param").null().member("code", code).endObject();
}

std::string openAiError(std::string_view type, std::string_view code, std::string_view message) {
    std::string text;
    json::Writer writer(text);
    writer.beginObject();
    writeOpenAiError(writer, type, code, message);
    writer.endObject();
    return text;
}

/// The members of the API's reference, and besides them the `error` that OpenAI sends and its SDKs look for.
std::string responsesError(std::string_view code, std::string_view message) {
    std::string text;
    json::Writer writer(text);
    writer.beginObject().member("type", "error").member("code", code).member("message", message);
    writer.key("param").null();
    writeOpenAiError(writer, otherError.openai, code, message);
    writer.endObject();
    return text;
}

std::string anthropicError(std::string_view type, std::string_view code, std::string_view message) {
    std::string text;
    json::Writer writer(text);
    writer.beginObject().member("type", "error").key("error").beginObject().member("type", type);
    writer.member("message", message).member("code", code).endObject().endObject();
    return text;
}

}  // namespace

ProviderType providerType(NativeEndpoint endpoint) {
    return endpoint == NativeEndpoint::messages || endpoint == NativeEndpoint::countTokens
               ? ProviderType::anthropic
               : ProviderType::openai;
}

std::string_view path(NativeEndpoint endpoint) {
    switch (endpoint) {
        case NativeEndpoint::chatCompletions:
            return "/chat/completions";
        case NativeEndpoint::responses:
            return "/responses";
        case NativeEndpoint::embeddings:
            return "/embeddings";
        case NativeEndpoint::messages:
            return "/v1/messages";
        case NativeEndpoint::countTokens:
            break;
    }
    return "/v1/messages/count_tokens";
}

NativeRequest inspect(NativeEndpoint endpoint, std::string_view body, const json::Limits& limits) {
    return readingBody(body, limits,
                       [&](json::Reader& reader) { return readRequest(endpoint, body, reader); });
}

std::string rewritten(const NativeRequest& request, const Rewrite& rewrite) {
    return Splice(request, rewrite).text();
}

std::string nativeError(ProviderType type, int status, std::string_view code, std::string_view message) {
    const auto* const found = std::find_if(std::begin(errorTypes), std::end(errorTypes),
                                           [&](const ErrorType& entry) { return entry.status == status; });
    const ErrorType& names = found == std::end(errorTypes) ? otherError : *found;
    return type == ProviderType::anthropic ? anthropicError(names.anthropic, code, message)
                                           : openAiError(names.openai, code, message);
}

std::string streamError(NativeEndpoint endpoint, std::string_view code, std::string_view message) {
    if (providerType(endpoint) == ProviderType::anthropic) {
        return "event: error\ndata: " + anthropicError(otherError.anthropic, code, message) + "\n\n";
    }
    if (endpoint == NativeEndpoint::responses) {
        return "event: error\ndata: " + responsesError(code, message) + "\n\n";
    }
    return "data: " + openAiError(otherError.openai, code, message) + "\n\n";
}

}  // namespace sallyport::plugins::llm
