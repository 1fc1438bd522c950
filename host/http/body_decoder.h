// Takes a request body off the wire: counted or chunked (RFC 9112 sections 6.2 and 7.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "host/http/request_head.h"

namespace sallyport::host::http {

/// An incremental decoder. Chunk extensions and trailer fields are read within bounds and ignored: in the
/// long run what is no content stays in proportion to what is.
class BodyDecoder {
public:
    enum class State {
        reading,
        complete,
        malformed,  ///< the framing is broken; the connection cannot go on
        tooLarge,   ///< more than the limit; the rest has not been read
    };

    BodyDecoder() = default;
    /// @param limit bytes of content at the most.
    BodyDecoder(const RequestHead& head, std::uint64_t limit);

    /// Takes as much of `input` as belongs to the body, appending content to `body`.
    /// @return how many bytes were taken.
    std::size_t feed(std::string_view input, std::string& body);

    [[nodiscard]] State state() const noexcept { return state_; }

    /// Bytes that have not been taken yet, of a counted body; of a chunked one nobody knows.
    [[nodiscard]] std::uint64_t remaining() const noexcept {
        return framing_ == Framing::length ? remaining_ : 0;
    }

private:
    enum class Step { size, data, dataEnd, trailer };

    std::size_t feedCounted(std::string_view input, std::string& body);
    std::size_t feedChunked(std::string_view input, std::string& body);
    std::size_t takeData(std::string_view input, std::string& body);
    void chunkSize(std::string_view line);
    void trailerLine(std::string_view line);

    State state_ = State::complete;
    Framing framing_ = Framing::none;
    Step step_ = Step::size;
    std::uint64_t limit_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t remaining_ = 0;  ///< of the body when counted, of the chunk when chunked
    std::uint64_t excess_ = 0;     ///< bytes around the chunks beyond what their content justifies
    std::size_t trailerBytes_ = 0;
    std::string line_;  ///< a chunk-size or trailer line that came in pieces
};

}  // namespace sallyport::host::http
