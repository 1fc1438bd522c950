// The request line and header fields of an HTTP/1.x request (RFC 9112), parsed strictly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "host/http/limits.h"

namespace sallyport::host::http {

/// How the length of a request's body is told (RFC 9112 section 6.3).
enum class Framing { none, length, chunked };

/// A parsed request head. The framing has been checked: at most one way of telling the length, once.
struct RequestHead {
    std::string method;
    std::string path;                                          ///< undecoded; begins with `/`, or is `*`
    std::string query;                                         ///< undecoded, without `?`
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case, in order
    bool http10 = false;
    bool keepAlive = true;  ///< what version and `Connection` ask for
    bool expectsContinue = false;
    Framing framing = Framing::none;
    std::uint64_t length = 0;  ///< with Framing::length

    /// The first header of that lower-case name, or null.
    [[nodiscard]] const std::string* find(std::string_view name) const;
};

/// Why a head is refused: the connection cannot go on after it.
struct HeadError {
    int status;
    const char* code;
    const char* message;
};

/// The head is not complete yet.
struct NeedMore {};

/// A complete head, and how many bytes it took.
struct ParsedHead {
    RequestHead head;
    std::size_t size;
};

using HeadResult = std::variant<NeedMore, ParsedHead, HeadError>;

/// Parses the head at the beginning of `input`. What is ambiguous is refused, never guessed: bare LF, folded
/// lines, white space before a colon, repeated or contradicting lengths, unknown transfer codings.
/// [any thread]
[[nodiscard]] HeadResult parseHead(std::string_view input, const Limits& limits);

}  // namespace sallyport::host::http
