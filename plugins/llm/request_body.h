// What all bodies that workers send have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sallyport/errors.h>
#include <sallyport/json.h>

#include "json_reader.h"

namespace sallyport::plugins::llm {

/// @throws RequestError 400 if the text is no JSON
void requireJson(std::string_view body, std::size_t maxDepth);

/// Has `read` read the object that a body is. Whatever it complains about, a body that is no JSON at all is
/// refused as that. @throws RequestError 400, 422, and what `read` throws
template <class Read>
auto readingBody(std::string_view body, std::size_t maxDepth, Read read) {
    try {
        JsonReader reader(body, maxDepth);
        if (const json::Kind kind = reader.kind(); kind != json::Kind::object) {
            throw RequestError(422, "invalid_body",
                               std::string("the body must be a JSON object, not ") + json::describe(kind));
        }
        return read(reader);
    } catch (const json::ParseError& error) {
        throw RequestError(400, "invalid_json", error.what());
    } catch (const RequestError&) {
        requireJson(body, maxDepth);
        throw;
    }
}

/// @throws RequestError 422 for a name that no model has, and that would look odd in a log
void requireModelName(std::string_view model);

/// A guess: a token for four bytes of text.
[[nodiscard]] std::int64_t estimatedTokens(std::size_t textBytes);

}  // namespace sallyport::plugins::llm
