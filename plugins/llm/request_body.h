// What all bodies that workers send have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sallyport/errors.h>
#include <sallyport/json.h>
#include <sallyport/json_reader.h>

namespace sallyport::plugins::llm {

/// @throws RequestError 400 if the text is no JSON, 422 if it goes beyond the limits
void requireJson(std::string_view body, const json::Limits& limits);

/// Has `read` read the object that a body is. Whatever it complains about, a body that is no JSON at all is
/// refused as that. @throws RequestError 400, 422, and what `read` throws
template <class Read>
auto readingBody(std::string_view body, const json::Limits& limits, Read read) {
    try {
        json::Reader reader(body, limits);
        if (const json::Kind kind = reader.kind(); kind != json::Kind::object) {
            throw RequestError(422, "invalid_body",
                               std::string("the body must be a JSON object, not ") + json::describe(kind));
        }
        return read(reader);
    } catch (const json::ParseError& error) {
        throw json::refusal(error);
    } catch (const RequestError&) {
        requireJson(body, limits);
        throw;
    }
}

/// @throws RequestError 422 for a name that no model has, and that would look odd in a log
void requireModelName(std::string_view model);

/// A guess: a token for four bytes of text.
[[nodiscard]] std::int64_t estimatedTokens(std::size_t textBytes);

}  // namespace sallyport::plugins::llm
