#include "host/http/response_writer.h"

#include <array>
#include <span>
#include <utility>

#include <sallyport/secret_text.h>

namespace sallyport::host::http {

namespace {

/// Buffers offered to the transport at once.
constexpr std::size_t gathered = 16;
/// A body up to this size is copied to stand behind its head: one buffer goes out faster than two.
constexpr std::size_t copied = std::size_t{4} * 1024;
/// Bytes handed over in one `flush`; others wait for their answers, too.
constexpr std::size_t flushShare = std::size_t{1024} * 1024;
/// A buffer above this size is given back once it is empty.
constexpr std::size_t keptTail = std::size_t{16} * 1024;

}  // namespace

ResponseWriter::~ResponseWriter() {
    discard();
}

void ResponseWriter::beginInterim() {
    append("HTTP/1.1 100 Continue\r\n\r\n");
}

void ResponseWriter::begin(const ResponseHead& head, bool headOnly) {
    framing_ = head.framing;
    headOnly_ = headOnly;
    bodyless_ = isBodyless(head.status);
    const auto before = tail_.size();
    appendHead(tail_, head);
    backlog_ += tail_.size() - before;
}

void ResponseWriter::beginRaw() noexcept {
    framing_ = ResponseFraming::untilClose;
    headOnly_ = false;
    bodyless_ = false;
}

void ResponseWriter::write(std::string_view bytes) {
    if (isBodyDropped() || bytes.empty()) {
        return;
    }
    beginChunk(bytes.size());
    append(bytes);
    endChunk();
}

void ResponseWriter::writeMoved(std::string&& bytes) {
    if (bytes.size() <= copied || isBodyDropped()) {
        if (secret_) {
            tail_.reserve(tail_.size() + bytes.size());
        }
        write(bytes);
        if (secret_) {
            wipe(bytes);
        }
        return;
    }
    beginChunk(bytes.size());
    push({std::move(bytes), nullptr});
    endChunk();
}

void ResponseWriter::writeShared(Shared bytes) {
    if (isBodyDropped() || bytes->empty()) {
        return;
    }
    beginChunk(bytes->size());
    push({{}, std::move(bytes)});
    endChunk();
}

void ResponseWriter::end() {
    if (framing_ == ResponseFraming::chunked && !isBodyDropped()) {
        append("0\r\n\r\n");
    }
}

void ResponseWriter::beginChunk(std::size_t size) {
    if (framing_ != ResponseFraming::chunked) {
        return;
    }
    const auto before = tail_.size();
    appendChunkSize(tail_, size);
    backlog_ += tail_.size() - before;
}

void ResponseWriter::endChunk() {
    if (framing_ == ResponseFraming::chunked) {
        append("\r\n");
    }
}

void ResponseWriter::append(std::string_view bytes) {
    tail_.append(bytes);
    backlog_ += bytes.size();
}

void ResponseWriter::push(Segment segment) {
    backlog_ += segment.bytes().size();
    if (!tail_.empty()) {
        segments_.push_back({std::exchange(tail_, {}), nullptr});
    }
    segments_.push_back(std::move(segment));
}

ResponseWriter::Outcome ResponseWriter::flush() {
    progressed_ = false;
    for (std::size_t handed = 0; backlog_ > 0;) {
        if (handed >= flushShare) {
            return Outcome::paused;
        }
        std::array<std::string_view, gathered> buffers;
        std::size_t count = 0;
        for (auto i = first_; i < segments_.size() && count < gathered; ++i) {
            buffers[count++] = segments_[i].bytes();
        }
        if (count < gathered && !tail_.empty()) {
            buffers[count++] = tail_;
        }
        buffers[0].remove_prefix(offset_);
        const auto result = transport_.write(std::span(buffers).first(count));
        if (result.status == Transport::Status::wouldBlock) {
            return Outcome::blocked;
        }
        if (result.status != Transport::Status::moved) {
            return Outcome::failed;
        }
        progressed_ = true;
        handed += result.bytes;
        sent(result.bytes);
    }
    discard();
    return Outcome::drained;
}

void ResponseWriter::sent(std::size_t bytes) {
    backlog_ -= bytes;
    offset_ += bytes;
    while (first_ < segments_.size() && offset_ >= segments_[first_].bytes().size()) {
        offset_ -= segments_[first_].bytes().size();
        release(segments_[first_]);
        ++first_;
    }
    // Those before `first_` are dropped by and by, so that a queue that is never empty does not grow.
    if (first_ == segments_.size() || first_ > segments_.size() / 2) {
        segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
    if (segments_.empty() && offset_ > keptTail && offset_ > tail_.size() / 2) {
        tail_.erase(0, offset_);
        offset_ = 0;
    }
}

void ResponseWriter::release(Segment& segment) {
    if (secret_) {
        wipe(segment.own);
    }
    segment = {};
}

void ResponseWriter::discard() {
    for (auto& segment : segments_) {
        release(segment);
    }
    segments_.clear();
    first_ = 0;
    offset_ = 0;
    backlog_ = 0;
    if (secret_) {
        wipe(tail_);
    }
    tail_.clear();
    if (tail_.capacity() > keptTail) {
        tail_.shrink_to_fit();
    }
}

}  // namespace sallyport::host::http
