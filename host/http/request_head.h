// The request line and header fields of an HTTP/1.x request (RFC 9112), parsed strictly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/ext/tunnels.h>

#include "host/http/limits.h"

namespace sallyport::host::http {

/// How the length of a request's body is told (RFC 9112 section 6.3).
enum class Framing { none, length, chunked };

/// A parsed request head. The framing has been checked: at most one way of telling the length, once.
struct RequestHead {
    std::string method;
    std::string path;   ///< undecoded; begins with `/`, or is `*`; see below
    std::string query;  ///< undecoded, without `?`
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case, in order
    bool http10 = false;
    bool keepAlive = true;  ///< what version and `Connection` ask for
    bool expectsContinue = false;
    Framing framing = Framing::none;
    std::uint64_t length = 0;  ///< with Framing::length
    /// Of the authority form, `CONNECT host:port`, whose path is `host:port`, and of the absolute form;
    /// nothing of the others (RFC 9112 section 3.2).
    std::optional<ProxyTarget> target{};
    std::string upgrade{};  ///< the protocols that it would change to, a list; empty: none

    /// Whether it is of the authority form.
    [[nodiscard]] bool asksForTunnel() const noexcept { return target && method == "CONNECT"; }
    /// What it is for, without the query, as the log shows it.
    [[nodiscard]] std::string shownTarget() const;

    /// The first header of that lower-case name, or null.
    [[nodiscard]] const std::string* find(std::string_view name) const;
};

/// Why a head is refused: the connection cannot go on after it.
struct HeadError {
    int status = 400;
    const char* code = "";
    const char* message = "";
};

/// Takes heads off the wire, line by line. What is ambiguous is refused, never guessed: bare LF, folded
/// lines, white space before a colon, repeated or contradicting lengths, unknown transfer codings.
class HeadParser {
public:
    enum class State {
        reading,
        complete,  ///< `take` it
        refused,   ///< see `error`
    };

    /// @param limits outlive the parser.
    explicit HeadParser(const Limits& limits) : limits_(limits) {}

    /// Takes the whole lines at the beginning of `input`. What it leaves is the beginning of a line, to be
    /// handed in again with what follows it, or what comes after the head. No byte is looked at twice.
    /// @return how many bytes were taken.
    std::size_t feed(std::string_view input);

    [[nodiscard]] State state() const noexcept { return state_; }
    /// Why, once it is refused.
    [[nodiscard]] const HeadError& error() const noexcept { return error_; }
    /// The complete head. The parser is ready for the next one then.
    [[nodiscard]] RequestHead take();

private:
    void takeLine(std::string_view line);
    void takeRequestLine(std::string_view line);
    void takeField(std::string_view line);
    void checkBounds(std::size_t lineSize);
    void conclude();
    void refuse(const HeadError& error);

    const Limits& limits_;
    State state_ = State::reading;
    RequestHead head_;
    bool inFields_ = false;       ///< the request line has been taken
    int emptyLines_ = 0;          ///< before the request line
    std::size_t fieldBytes_ = 0;  ///< of complete lines
    std::size_t scanned_ = 0;     ///< bytes of an incomplete line that have been looked at
    HeadError error_{};
};

}  // namespace sallyport::host::http
