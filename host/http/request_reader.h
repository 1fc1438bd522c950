// From bytes to requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sallyport/errors.h>

#include "host/http/body_budget.h"
#include "host/http/body_decoder.h"
#include "host/http/json_memory.h"
#include "host/http/limits.h"
#include "host/http/request_head.h"

namespace sallyport::host::http {

/// A request's body, and what it has of the budget for as long as it is kept.
struct ReceivedBody {
    BodyBudget::Share share;
    std::string text;
};

/// Takes requests off a connection one at a time: the head, and then its body or what is left of a body that
/// nobody wants. Owns what was received and not used yet, and the body until it is taken. Knows neither
/// sockets nor clocks: who drives it reads the deadline that is due off its stage. [one thread at a time]
class RequestReader {
public:
    /// What is being read.
    enum class Stage {
        idle,        ///< nothing of a request has come
        head,        ///< a head has begun
        held,        ///< nothing, until it is said what becomes of the body, or of the next request
        body,        ///< a body
        dropping,    ///< what is left of a body that is not wanted
        handedOver,  ///< no requests any more: what comes is another's
        broken,      ///< nothing any more: where the next request begins cannot be told
    };

    /// What `advance` came to.
    enum class Progress {
        starved,  ///< all that was received is used; there must be more to go on
        head,     ///< a head is complete: `takeHead`
        body,     ///< the body is complete: `takeBody`
        dropped,  ///< the unwanted body has been read to its end
        failed,   ///< `error` says why
    };

    /// @param limits outlive the reader. @param share pays for what was received and not used.
    RequestReader(const Limits& limits, BodyBudget::Share share)
        : limits_(limits), head_(limits), share_(std::move(share)) {}
    ~RequestReader();
    RequestReader(const RequestReader&) = delete;
    RequestReader& operator=(const RequestReader&) = delete;

    /// Hands in what was received, which is borrowed until `store`; what was handed in before has been
    /// stored.
    void supply(std::span<char> input);
    /// Gives back what was borrowed: a copy is kept of what has not been used.
    /// @return false when there is no memory left for it: the connection is of no use any more.
    [[nodiscard]] bool store();
    /// Forgets what has not been used, and the body.
    void discard();

    /// How many bytes can be used at once. More would only have to be kept.
    [[nodiscard]] std::size_t appetite() const;

    /// Reads on, to the next thing that somebody has to decide about.
    [[nodiscard]] Progress advance();

    /// The head that is complete. The reader waits for one of the following three.
    [[nodiscard]] RequestHead takeHead();

    /// Reads the body. @param head the one that was taken. @param limit bytes of content. @param share pays
    /// for it, and for what it may be taken apart into. @return false when there is none.
    bool expectBody(const RequestHead& head, std::uint64_t limit, BodyBudget::Share share);
    /// Reads what is left of the body and forgets it. @return false when nothing is left.
    bool dropBody();
    /// Goes on with the next request.
    void nextRequest();

    /// The body that is complete.
    [[nodiscard]] ReceivedBody takeBody();

    /// What comes from here on belongs to whoever takes the connection over, as it is.
    void handOver();
    /// The same for the content of the request, read off its framing. @param head the one that was taken.
    void handOverContent(const RequestHead& head);

    /// What was handed over.
    struct Piece {
        std::string_view bytes;  ///< lent until anything else is called
        bool whole = false;      ///< nothing more comes: it was content, and this the end of it
        bool malformed = false;  ///< the framing of the content is broken
    };
    /// What was received and not taken yet.
    [[nodiscard]] Piece takePiece();

    /// Whether another request can be read off the connection: nothing of a body is left, or little enough
    /// to be dropped.
    [[nodiscard]] bool canGoOn() const;
    /// Whether a body is still to come.
    [[nodiscard]] bool bodyPending() const { return decoder_.state() == BodyDecoder::State::reading; }

    [[nodiscard]] Stage stage() const noexcept { return stage_; }
    /// Bytes that were received and not used.
    [[nodiscard]] std::size_t buffered() const noexcept { return rest_.size(); }
    /// Bytes of the body that have come.
    [[nodiscard]] std::size_t bodySize() const noexcept { return body_.text.size(); }
    /// Why it failed.
    [[nodiscard]] const RequestError& error() const { return *error_; }

    /// From here on what was read is overwritten once it is used.
    void keepSecret() noexcept { secret_ = true; }

private:
    [[nodiscard]] Progress readHead();
    [[nodiscard]] Progress readBody();
    [[nodiscard]] Progress dropRest();
    [[nodiscard]] Progress fail(RequestError error);
    void releaseBuffer();
    void use(std::size_t bytes) { rest_.remove_prefix(bytes); }
    [[nodiscard]] bool borrowed() const noexcept { return !input_.empty(); }

    const Limits& limits_;
    Stage stage_ = Stage::idle;
    bool secret_ = false;
    HeadParser head_;
    BodyDecoder decoder_;
    bool contentOnly_ = false;  ///< of what is handed over
    ReceivedBody body_;
    JsonMemory json_;          ///< that the body may need
    BodyBudget::Share share_;  ///< pays for `buffer_`
    std::span<char> input_;    ///< what is borrowed
    std::string buffer_;       ///< what was kept; holds `rest_` unless something is borrowed
    std::string_view rest_;    ///< received and not used
    std::optional<RequestError> error_;
};

}  // namespace sallyport::host::http
