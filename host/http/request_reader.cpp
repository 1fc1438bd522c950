#include "host/http/request_reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <string.h>

#include <sallyport/secret_text.h>

namespace sallyport::host::http {

namespace {

using namespace std::chrono_literals;

/// An unread body up to this size is read and dropped so that the connection can go on; a larger one costs
/// the client its connection.
constexpr std::size_t drainLimit = std::size_t{64} * 1024;
/// A body gets so much memory at once, if it says that it is that long. What is not sent is not used either.
constexpr std::uint64_t bodyReserve = std::uint64_t{1024} * 1024;
/// A buffer above this size is given back once it is empty.
constexpr std::size_t keptBuffer = std::size_t{16} * 1024;

/// What is read at once of heads, and of bodies.
constexpr std::size_t headPiece = std::size_t{16} * 1024;
constexpr std::size_t piece = std::size_t{64} * 1024;

/// Input that was lent, which may be none.
void overwrite(std::span<char> input) {
    if (!input.empty()) {
        ::explicit_bzero(input.data(), input.size());
    }
}

RequestError tooManyBodiesInAll() {
    RequestError error(503, "overloaded", "too many request bodies are being received at once");
    error.retryAfter(1s);
    return error;
}

RequestError tooManyBodies() {
    RequestError error(429, "too_many_bodies",
                       "too many request bodies of this job are being received at once");
    error.retryAfter(1s);
    return error;
}

}  // namespace

RequestReader::~RequestReader() {
    discard();
}

void RequestReader::supply(std::span<char> input) {
    const std::string_view text(input.data(), input.size());
    if (rest_.empty()) {
        input_ = input;
        rest_ = text;
        return;
    }
    if (secret_) {
        // Not by growing the buffer, which could leave a piece of it behind.
        std::string joined;
        joined.reserve(rest_.size() + text.size());
        joined.append(rest_).append(text);
        wipe(buffer_);
        buffer_ = std::move(joined);
        overwrite(input);
    } else {
        buffer_.erase(0, buffer_.size() - rest_.size());
        buffer_.append(text);
    }
    rest_ = buffer_;
}

bool RequestReader::store() {
    if (borrowed()) {
        const auto input = std::exchange(input_, {});
        buffer_.assign(rest_);
        rest_ = buffer_;
        if (secret_) {
            overwrite(input);
        }
    }
    if (rest_.empty()) {
        releaseBuffer();
    }
    if (stage_ == Stage::handedOver) {
        body_ = {};
    }
    return share_.grow(buffer_.size()) == BodyBudget::Outcome::granted;
}

void RequestReader::discard() {
    releaseBuffer();
    if (secret_) {
        wipe(body_.text);
    }
    body_ = {};
}

void RequestReader::releaseBuffer() {
    if (secret_) {
        overwrite(input_);
        wipe(buffer_);
    }
    input_ = {};
    rest_ = {};
    share_.release();
    buffer_.clear();
    if (buffer_.capacity() > keptBuffer) {
        buffer_.shrink_to_fit();
    }
}

std::size_t RequestReader::appetite() const {
    if (stage_ == Stage::handedOver) {
        return piece;
    }
    if (stage_ != Stage::body && stage_ != Stage::dropping) {
        return headPiece;
    }
    const auto counted = decoder_.remaining();
    return counted == 0 ? piece : static_cast<std::size_t>(std::min<std::uint64_t>(counted, piece));
}

RequestReader::Progress RequestReader::advance() {
    switch (stage_) {
        case Stage::idle:
        case Stage::head:
            return readHead();
        case Stage::body:
            return readBody();
        case Stage::dropping:
            return dropRest();
        case Stage::held:
        case Stage::handedOver:
        case Stage::broken:
            break;
    }
    return Progress::starved;
}

RequestReader::Progress RequestReader::readHead() {
    if (rest_.empty()) {
        return Progress::starved;
    }
    stage_ = Stage::head;
    use(head_.feed(rest_));
    switch (head_.state()) {
        case HeadParser::State::reading:
            return Progress::starved;
        case HeadParser::State::complete:
            stage_ = Stage::held;
            return Progress::head;
        case HeadParser::State::refused:
            break;
    }
    const auto& error = head_.error();
    return fail(RequestError(error.status, error.code, error.message));
}

RequestHead RequestReader::takeHead() {
    auto head = head_.take();
    decoder_ = BodyDecoder(head, drainLimit);
    return head;
}

bool RequestReader::expectBody(const RequestHead& head, std::uint64_t limit, BodyBudget::Share share) {
    decoder_ = BodyDecoder(head, limit);
    if (decoder_.state() == BodyDecoder::State::complete) {
        return false;
    }
    body_.share = std::move(share);
    json_ = JsonMemory(limits_.json);
    // Growing the body would copy it again and again, and leave pieces of a secret behind.
    body_.text.reserve(std::min(decoder_.remaining(), bodyReserve));
    stage_ = Stage::body;
    return true;
}

RequestReader::Progress RequestReader::readBody() {
    if (rest_.empty()) {
        return Progress::starved;
    }
    const auto before = body_.text.size();
    use(decoder_.feed(rest_, body_.text));
    json_.add(std::string_view(body_.text).substr(before));
    const auto memory = body_.share.grow(body_.text.size() + json_.bytes());
    if (memory == BodyBudget::Outcome::neverFits) {
        return fail(tooLarge("the request body takes more memory than one request may have here"));
    }
    if (memory != BodyBudget::Outcome::granted) {
        return fail(memory == BodyBudget::Outcome::jobHasTooMuch ? tooManyBodies() : tooManyBodiesInAll());
    }
    switch (decoder_.state()) {
        case BodyDecoder::State::reading:
            return Progress::starved;
        case BodyDecoder::State::complete:
            stage_ = Stage::held;
            return Progress::body;
        case BodyDecoder::State::tooLarge:
            return fail(tooLarge("the request body is larger than is accepted here"));
        case BodyDecoder::State::malformed:
            break;
    }
    return fail(badRequest("the chunked body is malformed"));
}

ReceivedBody RequestReader::takeBody() {
    return std::exchange(body_, {});
}

bool RequestReader::dropBody() {
    if (!bodyPending()) {
        return false;
    }
    stage_ = Stage::dropping;
    return true;
}

RequestReader::Progress RequestReader::dropRest() {
    if (rest_.empty()) {
        return Progress::starved;
    }
    std::string dropped;
    use(decoder_.feed(rest_, dropped));
    if (secret_) {
        wipe(dropped);
    }
    if (bodyPending()) {
        return Progress::starved;
    }
    if (decoder_.state() == BodyDecoder::State::complete) {
        stage_ = Stage::held;
        return Progress::dropped;
    }
    return fail(badRequest("the chunked body is malformed"));
}

void RequestReader::nextRequest() {
    stage_ = Stage::idle;
}

void RequestReader::handOver() {
    stage_ = Stage::handedOver;
}

void RequestReader::handOverContent(const RequestHead& head) {
    handOver();
    contentOnly_ = true;
    decoder_ = BodyDecoder(head, std::numeric_limits<std::uint64_t>::max());
}

RequestReader::Piece RequestReader::takePiece() {
    if (!contentOnly_) {
        return {std::exchange(rest_, {})};
    }
    body_.text.clear();
    use(decoder_.feed(rest_, body_.text));
    const auto state = decoder_.state();
    return {body_.text, state == BodyDecoder::State::complete,
            state != BodyDecoder::State::complete && state != BodyDecoder::State::reading};
}

bool RequestReader::canGoOn() const {
    return stage_ != Stage::broken && stage_ != Stage::handedOver &&
           (decoder_.state() == BodyDecoder::State::complete || bodyPending());
}

RequestReader::Progress RequestReader::fail(RequestError error) {
    stage_ = Stage::broken;
    error_ = std::move(error);
    return Progress::failed;
}

}  // namespace sallyport::host::http
