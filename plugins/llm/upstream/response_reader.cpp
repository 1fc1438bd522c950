#include "response_reader.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <sallyport/ascii.h>

namespace sallyport::plugins::llm {

namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;

/// Of all heads of an answer together, of a chunk's size with its extensions, and of a trailer.
constexpr std::uint32_t greatestHead = 64 * 1024;

constexpr int firstStatus = 100;
constexpr int firstFinalStatus = 200;
constexpr int noContent = 204;
constexpr int notModified = 304;
constexpr int http11 = 11;
constexpr int switchingProtocols = 101;

/// What there is of a head, or of its rest, which begins with a line.
std::span<char> headIn(std::span<char> input) {
    if (input.front() == '\r') {
        return {};  // the line that ends the head; what follows is the body's
    }
    const auto end = std::string_view(input.data(), input.size()).find("\r\n\r\n");
    return input.first(std::min(end, input.size()));
}

/// Most clients overlook them, so servers do not notice that they send them.
void blankControls(std::span<char> head) {
    std::replace_if(
        head.begin(), head.end(),
        [](char c) {
            return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f;
        },
        ' ');
}

}  // namespace

class ResponseReader::Parser final : public http::basic_parser<false> {
public:
    Parser(ResponseSink& sink, bool headOnly) : sink_(sink) {
        header_limit(greatestHead);
        // The caller counts what it takes. No limit at all would be taken for the least by Boost 1.74.
        body_limit(std::numeric_limits<std::uint64_t>::max());
        skip(headOnly);
    }

    [[nodiscard]] int status() const noexcept { return head_.status; }

    /// Whether one cannot be sure where it ends: it announces a body that it must not have, or chunks where
    /// there are none (RFC 9112 sections 6.1 and 6.3).
    [[nodiscard]] bool doubtful() const {
        const bool bodiless = head_.status == noContent || head_.status == notModified;
        return (bodiless && (chunked() || content_length().value_or(0) > 0)) ||
               (chunked() && version_ < http11);
    }

private:
    void on_request_impl(http::verb, BeastView, BeastView, int, error_code&) override {}

    void on_response_impl(int code, BeastView, int version, error_code& error) override {
        head_.status = code;
        version_ = version;
        if (code < firstStatus) {
            error = http::error::bad_status;
        }
    }

    void on_field_impl(http::field name, BeastView text, BeastView value, error_code& error) override {
        if (headDone_) {
            return;  // a trailer
        }
        // Of all codings for the transfer this one alone is for every client to know.
        if (name == http::field::transfer_encoding && !boost::beast::iequals(value, "chunked")) {
            error = http::error::bad_transfer_encoding;
            return;
        }
        head_.headers.emplace_back(ascii::lowered({text.data(), text.size()}),
                                   std::string(value.data(), value.size()));
    }

    void on_header_impl(error_code&) override {
        headDone_ = true;
        if (head_.status >= firstFinalStatus) {
            const int status = head_.status;
            sink_.onResponseHead(std::move(head_));
            head_.status = status;
        }
    }

    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}

    std::size_t on_body_impl(BeastView piece, error_code&) override {
        sink_.onContent({piece.data(), piece.size()});
        return piece.size();
    }

    void on_chunk_header_impl(std::uint64_t, BeastView, error_code&) override {}

    std::size_t on_chunk_body_impl(std::uint64_t, BeastView piece, error_code&) override {
        sink_.onContent({piece.data(), piece.size()});
        return piece.size();
    }

    void on_finish_impl(error_code&) override {}

    ResponseSink& sink_;
    UpstreamHead head_;
    int version_ = 0;
    bool headDone_ = false;
};

ResponseReader::ResponseReader(ResponseSink& sink, Expect expect)
    : sink_(sink), expect_(expect), parser_(std::make_unique<Parser>(sink, expect == Expect::headOnly)) {}

ResponseReader::~ResponseReader() = default;

std::size_t ResponseReader::feed(std::span<char> input) {
    const std::size_t offered = input.size();
    bool more = true;
    while (more && !input.empty() && !complete_ && problem_.empty() && sink_.wantsMore()) {
        step(input, more);
    }
    return offered - input.size();
}

/// @param more is set to false when nothing can be done without more input.
void ResponseReader::step(std::span<char>& input, bool& more) {
    const bool inHead = !parser_->is_header_done();
    if (inHead) {
        blankControls(headIn(input));
    }
    error_code error;
    const std::size_t taken = parser_->put({input.data(), input.size()}, error);
    input = input.subspan(taken);
    heads_ += inHead ? taken : 0;
    if (heads_ > greatestHead) {
        // Beast limits what it holds back, and takes line by line what comes so.
        problem_ = "the head of the answer has no end";
    } else if (error == http::error::need_more) {
        more = false;
        if (input.size() > greatestHead) {
            problem_ = "a line of the answer has no end";
        }
    } else if (error) {
        problem_ = error.message();
    } else if (parser_->is_done()) {
        messageDone();
    }
}

void ResponseReader::messageDone() {
    if (parser_->status() >= firstFinalStatus) {
        complete_ = true;
        keeps_ = parser_->keep_alive() && !parser_->doubtful();
    } else if (parser_->status() == switchingProtocols) {
        problem_ = "the server speaks another protocol, which it was not asked to";
    } else {
        parser_ = std::make_unique<Parser>(sink_, expect_ == Expect::headOnly);
    }
}

void ResponseReader::end() {
    if (complete_ || !problem_.empty()) {
        return;
    }
    error_code error;
    if (parser_->got_some()) {
        parser_->put_eof(error);
    } else {
        error = http::error::end_of_stream;
    }
    if (error) {
        problem_ = error == http::error::end_of_stream ? "the connection was closed without an answer"
                                                       : "the connection was closed within the answer";
    } else {
        complete_ = true;
    }
}

}  // namespace sallyport::plugins::llm
