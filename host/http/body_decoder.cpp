#include "host/http/body_decoder.h"

#include <algorithm>
#include <charconv>

namespace sallyport::host::http {

namespace {

// What bounds that which a peer can have us read and is no content.
constexpr std::size_t maxLine = 256;
constexpr std::size_t maxTrailer = std::size_t{8} * 1024;
/// A chunk may come with so many bytes, and two for each of its content, that are none. What is beyond that
/// adds up over the chunks.
constexpr std::uint64_t sparePerChunk = 16;
constexpr std::uint64_t maxExcess = std::uint64_t{16} * 1024;
constexpr std::size_t lineEndSize = 2;
/// Once so much of a counted body is there, it is given room for all of it: growing bit by bit would copy it
/// again and again. Until then a peer that only promises much gets nothing.
constexpr std::uint64_t promised = 16;

}  // namespace

BodyDecoder::BodyDecoder(const RequestHead& head, std::uint64_t limit)
    : framing_(head.framing), limit_(limit) {
    if (framing_ == Framing::none) {
        return;
    }
    state_ = State::reading;
    if (framing_ == Framing::length) {
        remaining_ = head.length;
        if (remaining_ > limit_) {
            state_ = State::tooLarge;
        }
    }
}

std::size_t BodyDecoder::feed(std::string_view input, std::string& body) {
    if (state_ != State::reading) {
        return 0;
    }
    return framing_ == Framing::length ? feedCounted(input, body) : feedChunked(input, body);
}

std::size_t BodyDecoder::feedCounted(std::string_view input, std::string& body) {
    const auto taken = takeData(input, body);
    if (remaining_ == 0) {
        state_ = State::complete;
    }
    return taken;
}

std::size_t BodyDecoder::takeData(std::string_view input, std::string& body) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
    if (framing_ == Framing::length && body.size() > remaining_ / promised) {
        body.reserve(body.size() + remaining_);
    }
    body.append(input.substr(0, size));
    remaining_ -= size;
    return size;
}

std::size_t BodyDecoder::feedChunked(std::string_view input, std::string& body) {
    std::size_t at = 0;
    while (state_ == State::reading && at < input.size()) {
        if (step_ == Step::data) {
            at += takeData(input.substr(at), body);
            if (remaining_ == 0) {
                step_ = Step::dataEnd;
            }
            continue;
        }
        // All other steps read a line, which may come in pieces.
        const char c = input[at++];
        if (c != '\n') {
            line_ += c;
            if (line_.size() > maxLine) {
                state_ = State::malformed;
            }
            continue;
        }
        if (line_.empty() || line_.back() != '\r') {
            state_ = State::malformed;
            break;
        }
        line_.pop_back();
        if (step_ == Step::size) {
            chunkSize(line_);
        } else if (step_ == Step::trailer) {
            trailerLine(line_);
        } else if (line_.empty()) {
            step_ = Step::size;
        } else {
            state_ = State::malformed;
        }
        line_.clear();
    }
    return at;
}

void BodyDecoder::chunkSize(std::string_view line) {
    const auto digits = line.substr(0, line.find_first_of("; \t"));
    const auto rest = line.substr(digits.size());
    const bool extension = rest.empty() || rest.find(';') == rest.find_first_not_of(" \t");
    std::uint64_t size = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
    if (digits.empty() || digits.front() == '-' || error != std::errc{} ||
        end != digits.data() + digits.size() || !extension || rest.find('\r') != std::string_view::npos) {
        state_ = State::malformed;
        return;
    }
    if (size > limit_ - received_) {
        state_ = State::tooLarge;
        return;
    }
    excess_ += line.size() + lineEndSize + lineEndSize;
    excess_ -= std::min(excess_, sparePerChunk + 2 * size);
    if (excess_ > maxExcess) {
        state_ = State::malformed;
        return;
    }
    received_ += size;
    remaining_ = size;
    step_ = size == 0 ? Step::trailer : Step::data;
}

void BodyDecoder::trailerLine(std::string_view line) {
    trailerBytes_ += line.size() + lineEndSize;
    if (line.empty()) {
        state_ = State::complete;
    } else if (trailerBytes_ > maxTrailer) {
        state_ = State::malformed;
    }
}

}  // namespace sallyport::host::http
