// From replies to bytes.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/http/response.h"
#include "host/http/transport.h"

namespace sallyport::host::http {

/// Frames responses and queues what the network has not taken yet. Owns the queue: its own bytes, bodies that
/// were moved in, and buffers that it shares with other connections and never copies. Never waits: `flush`
/// hands over what is taken at once. [one thread at a time]
class ResponseWriter {
public:
    /// Bytes that several connections send. Immutable.
    using Shared = std::shared_ptr<const std::string>;

    enum class Outcome {
        drained,  ///< nothing is left
        blocked,  ///< the network takes no more for now
        paused,   ///< the network may take more, but that was one connection's share
        failed,   ///< the transport is of no use any more
    };

    /// @param transport outlives the writer.
    explicit ResponseWriter(Transport& transport) : transport_(transport) {}
    ~ResponseWriter();
    ResponseWriter(const ResponseWriter&) = delete;
    ResponseWriter& operator=(const ResponseWriter&) = delete;

    /// Queues `100 Continue`, which comes before a response (RFC 9110 section 15.2.1).
    void beginInterim();
    /// Queues the head of a response. @param headOnly it answers HEAD: what is written of a body is dropped.
    void begin(const ResponseHead& head, bool headOnly);
    /// What is written from here on goes out as it is: it belongs to no response.
    void beginRaw() noexcept;
    /// Queues a copy of a piece of the body, framed as the head says.
    void write(std::string_view bytes);
    /// Queues a piece of the body without copying what is long.
    void writeMoved(std::string&& bytes);
    /// Queues a piece of the body without copying it.
    void writeShared(Shared bytes);
    /// Queues the end of the body.
    void end();

    /// Hands the queue to the transport as far as that takes it, and no more than a share at once.
    [[nodiscard]] Outcome flush();
    /// Whether the last `flush` got anything over.
    [[nodiscard]] bool progressed() const noexcept { return progressed_; }

    /// Bytes queued. Shared ones count here as well, for each of those who share them.
    [[nodiscard]] std::size_t backlog() const noexcept { return backlog_; }
    /// Whether `size` more bytes keep the queue within `bound`. What is larger than that alone does fit into
    /// an empty queue, or it could never be sent.
    [[nodiscard]] bool hasRoom(std::size_t size, std::size_t bound) const noexcept {
        return backlog_ == 0 || backlog_ + size <= bound;
    }

    /// From here on what was written is overwritten once it is sent. Shared buffers are not.
    void keepSecret() noexcept { secret_ = true; }
    /// Forgets what is queued.
    void discard();

private:
    struct Segment {
        std::string own;
        Shared shared;  ///< instead, if not null
        [[nodiscard]] std::string_view bytes() const { return shared ? *shared : std::string_view(own); }
    };

    [[nodiscard]] bool isBodyDropped() const noexcept { return headOnly_ || bodyless_; }
    void append(std::string_view bytes);
    /// Queues a segment behind what is in the tail.
    void push(Segment segment);
    void beginChunk(std::size_t size);
    void endChunk();
    void sent(std::size_t bytes);
    void release(Segment& segment);

    Transport& transport_;
    std::vector<Segment> segments_;
    std::size_t first_ = 0;   ///< of `segments_`; those before it are sent
    std::string tail_;        ///< what comes after them
    std::size_t offset_ = 0;  ///< bytes sent of whatever comes first
    std::size_t backlog_ = 0;
    ResponseFraming framing_ = ResponseFraming::length;
    bool headOnly_ = false;
    bool bodyless_ = false;
    bool secret_ = false;
    bool progressed_ = false;
};

}  // namespace sallyport::host::http
