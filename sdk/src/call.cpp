#include <algorithm>
#include <charconv>

#include <sallyport/ascii.h>
#include <sallyport/call.h>
#include <sallyport/errors.h>
#include <sallyport/media_type.h>
#include <sallyport/secret_text.h>

#include "hex.h"

namespace sallyport {

namespace {

/// Decodes a form-encoded name or value. A `%` that two hex digits do not follow stands for itself, as
/// in every browser (WHATWG URL, section 1.3).
std::string decoded(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hexDigit(text[i + 1]) >= 0 &&
            hexDigit(text[i + 2]) >= 0) {
            result += static_cast<char>(hexDigit(text[i + 1]) * 16 + hexDigit(text[i + 2]));
            i += 2;
        } else {
            result += text[i] == '+' ? ' ' : text[i];
        }
    }
    return result;
}

json::Object parseObject(const std::string& body, const json::Limits& limits) {
    const json::Value value = [&] {
        try {
            return json::Value::parse(body, limits);
        } catch (const json::ParseError& error) {
            throw json::refusal(error);
        }
    }();
    if (value.kind() != json::Kind::object) {
        throw RequestError(
            422, "invalid_body",
            std::string("the body must be a JSON object, not ") + json::describe(value.kind()));
    }
    return value.object();
}

}  // namespace

Call::Call(const Caller& caller, Parts parts) : caller_(caller), parts_(std::move(parts)) {}

Call::~Call() {
    if (parts_.secret) {
        wipe(parts_.body);
    }
}

std::string_view Call::param(std::string_view name) const {
    for (const auto& [key, value] : parts_.params) {
        if (key == name) {
            return value;
        }
    }
    return {};
}

JobId Call::jobId() const {
    if (caller_.realm() == Realm::worker) {
        return caller_.job();
    }
    if (const auto id = JobId::parse(param("job_id"))) {
        return *id;
    }
    throw badRequest("the job id is not a UUID");
}

std::optional<std::string> Call::query(std::string_view name) const {
    std::string_view rest = parts_.query;
    while (!rest.empty()) {
        const std::string_view pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
        const auto equals = pair.find('=');
        if (!pair.empty() && decoded(pair.substr(0, equals)) == name) {
            return equals == std::string_view::npos ? std::string() : decoded(pair.substr(equals + 1));
        }
    }
    return std::nullopt;
}

std::int64_t Call::queryInteger(std::string_view name, std::int64_t low, std::int64_t high,
                                std::int64_t fallback) const {
    const auto text = query(name);
    if (!text) {
        return fallback;
    }
    std::int64_t value = 0;
    const char* const end = text->data() + text->size();
    const auto [stop, problem] = std::from_chars(text->data(), end, value);
    if (problem != std::errc() || stop != end || value < low || value > high) {
        throw badRequest("query parameter '" + std::string(name) + "' must be an integer from " +
                         std::to_string(low) + " to " + std::to_string(high));
    }
    return value;
}

std::optional<std::string_view> Call::header(std::string_view name) const {
    for (const auto& [key, value] : parts_.headers) {
        if (ascii::equalsIgnoringCase(key, name)) {
            return value;
        }
    }
    return std::nullopt;
}

json::Object Call::json() const {
    const auto contentType = header("content-type");
    if (!contentType || !isJsonType(*contentType)) {
        throw RequestError(415, "unsupported_media_type", "the body must be sent as application/json");
    }
    return parseObject(parts_.body, jsonLimits());
}

std::optional<json::Object> Call::optionalJson() const {
    if (parts_.body.empty()) {
        return std::nullopt;
    }
    return json();
}

}  // namespace sallyport
