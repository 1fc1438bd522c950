// Writing response heads (RFC 9112 section 4).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <sallyport/reply.h>

namespace sallyport::host::http {

/// How the end of a response's body is told.
enum class ResponseFraming { length, chunked, untilClose };

struct ResponseHead {
    int status = 200;
    std::string_view contentType;
    const Reply::Headers* headers = nullptr;
    ResponseFraming framing = ResponseFraming::length;
    std::size_t length = 0;
    std::string_view requestId;
    std::string_view dateHeader;  ///< a whole line
    std::string_view upgrade;     ///< the protocol that it changes to, with status 101
    bool close = false;
    bool http10 = false;
};

/// Appends status line, fields and the empty line. Field values that could break the framing are left out.
void appendHead(std::string& out, const ResponseHead& head);

/// Appends the line that begins a chunk of `size` bytes (RFC 9112 section 7.1); 0 would end the body.
void appendChunkSize(std::string& out, std::size_t size);

/// Whether a response of that status has no body (RFC 9110 section 6.4.1).
[[nodiscard]] bool isBodyless(int status);

}  // namespace sallyport::host::http
