// Server-Sent Events as they arrive from an upstream.
#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sallyport::plugins::llm {

/// One block of a stream, up to and including its blank line. Valid during the callback.
struct SseBlock {
    std::string_view event;  ///< the `event:` field; empty when there is none
    std::string_view data;   ///< the `data:` fields, joined by line feeds
    bool dispatched =
        false;             ///< whether it has a `data:` field, without which it is no event (a comment, say)
    std::string_view raw;  ///< the bytes of the block, as they came
};

/// A block grew beyond the limit. what() is for the log.
class SseTooLarge : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Splits a stream into blocks by the rules of the WHATWG HTML standard, section 9.2.6: lines end with LF, CR
/// LF or CR, and a byte order mark may come first. Blocks that arrive whole are handed on without a copy.
/// [one thread at a time]
class SseReader {
public:
    using Sink = std::function<void(const SseBlock&)>;

    explicit SseReader(std::size_t maxBlock) : maxBlock_(maxBlock) {}

    /// Takes the next bytes, cut anywhere. @throws SseTooLarge, and what the sink throws
    void feed(std::string_view bytes, const Sink& sink);

    /// Whether an unfinished block is waiting for the rest of itself.
    [[nodiscard]] bool midBlock() const noexcept { return !pending_.empty(); }
    /// The bytes of that block.
    [[nodiscard]] std::size_t waiting() const noexcept { return pending_.size(); }

private:
    /// Hands on the whole blocks that `text` begins with. @return their length
    std::size_t split(std::string_view text, const Sink& sink);
    /// The length of the first block in `text`; 0 if its end is not there yet.
    [[nodiscard]] std::size_t blockLength(std::string_view text);
    void dispatch(std::string_view raw, const Sink& sink);

    const std::size_t maxBlock_;
    std::string pending_;        ///< the beginning of a block
    std::size_t lineStart_ = 0;  ///< of the line in it that is being searched
    std::size_t searched_ = 0;   ///< how much of it is known to hold no end
    bool atStart_ = true;        ///< nothing was handed on yet
    std::string joined_;         ///< the data of a block with several `data:` fields
};

}  // namespace sallyport::plugins::llm
