#include "http_call.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace sallyport::plugins::llm {

namespace {

/// Of a request, given to the network in one go.
constexpr std::size_t greatestWrite = std::size_t{64} * 1024;

bool isEnding(IoEvents events) {
    return has(events, IoEvents::ended | IoEvents::closed | IoEvents::failed);
}

std::string milliseconds(std::chrono::milliseconds time) {
    return std::to_string(time.count()) + " ms";
}

}  // namespace

HttpCall::HttpCall(CallOwner& owner, Upstream::Id id, PreparedRequest request,
                   std::shared_ptr<UpstreamListener> listener)
    : owner_(owner),
      id_(id),
      request_(std::move(request)),
      listener_(std::move(listener)),
      began_(std::chrono::steady_clock::now()),
      lastProgress_(began_),
      turnEnd_(began_),
      reader_(*this) {}

void HttpCall::start() {
    if (auto socket = owner_.takeConnection(request_.poolKey)) {
        kept_ = true;
        use(std::move(socket), IoEvents::none);
    } else {
        dial();
    }
}

void HttpCall::dial() {
    kept_ = false;
    enter(Phase::connecting);
    DialListener& listener = *this;
    dial_ = std::make_unique<Dial>(owner_.dialParts(), request_.route, listener);
    dial_->start();
}

void HttpCall::onConnected(std::unique_ptr<Socket> socket, IoEvents events) {
    dial_ = nullptr;
    use(std::move(socket), events);
}

void HttpCall::onDialFailed(const Outcome& outcome) {
    end(outcome);
}

/// @param events of the socket that nobody has followed up: a server may refuse before it is asked.
void HttpCall::use(std::unique_ptr<Socket> socket, IoEvents events) {
    socket_ = std::move(socket);
    socket_->rewatch(*this);
    closing_ = isEnding(events);
    enter(Phase::waiting);
    beginTurn();
    send();
    if (sendFailed_ || isEnding(events) || has(events, IoEvents::readable)) {
        receive();
    }
}

void HttpCall::end(const Outcome& outcome) {
    if (std::exchange(over_, true)) {
        return;
    }
    const bool whole = outcome.problem == UpstreamProblem::none;
    const std::size_t size = request_.head.size() + (request_.body ? request_.body->size() : 0);
    // Bytes behind the answer belong to nothing that was asked for.
    const bool keep = whole && !closing_ && !closed_ && input_.empty() && !socket_->holdsMore() &&
                      reader_.keepsConnection() && sent_ == size;
    if (!keep) {
        socket_ = nullptr;
    }
    request_.head = {};
    dial_ = nullptr;
    owner_.ended(*this, outcome, request_.poolKey, std::move(socket_));
}

// Time

void HttpCall::enter(Phase phase) {
    phase_ = phase;
    lastProgress_ = std::chrono::steady_clock::now();
    owner_.lookBy(deadline());
}

std::chrono::milliseconds HttpCall::limit() const {
    switch (phase_) {
        case Phase::connecting:
            return request_.endpoint.connect;
        case Phase::waiting:
            return request_.endpoint.firstByte;
        case Phase::receiving:
            return request_.endpoint.idle;
    }
    return {};
}

HttpCall::Time HttpCall::deadline() const {
    Time earliest = dial_ ? dial_->nextTry() : Time::max();
    if (request_.endpoint.total.count() > 0) {
        earliest = std::min(earliest, began_ + request_.endpoint.total);
    }
    if (!paused_ && limit().count() > 0) {
        earliest = std::min(earliest, lastProgress_ + limit());
    }
    return earliest;
}

void HttpCall::checkTime(Time now) {
    const auto total = request_.endpoint.total;
    if (total.count() > 0 && now >= began_ + total) {
        end({UpstreamProblem::totalTimeout, "not done within " + milliseconds(total)});
    } else if (!paused_ && limit().count() > 0 && now >= lastProgress_ + limit()) {
        end(timeOut());
    } else if (dial_ && now >= dial_->nextTry()) {
        dial_->tryNext(now);
    }
}

Outcome HttpCall::timeOut() const {
    switch (phase_) {
        case Phase::connecting:
            return {UpstreamProblem::connectTimeout, "no connection within " + milliseconds(limit())};
        case Phase::waiting:
            return {UpstreamProblem::firstByteTimeout, "no answer within " + milliseconds(limit())};
        case Phase::receiving:
            break;
    }
    return {UpstreamProblem::idleTimeout, "nothing more for " + milliseconds(limit())};
}

// The request

void HttpCall::onEvents(IoEvents events) {
    closing_ = closing_ || isEnding(events);
    beginTurn();
    send();
    if (!over_ && socket_) {
        receive();
    }
}

/// Whether the call has had the loop for long enough: then it will be told to go on.
bool HttpCall::isTurnOver() {
    if (!goesOn_ && std::chrono::steady_clock::now() >= turnEnd_) {
        goesOn_ = true;
        owner_.again(id_);
    }
    return goesOn_;
}

void HttpCall::send() {
    const std::string_view body = request_.body ? std::string_view(*request_.body) : std::string_view();
    const std::size_t headSize = request_.head.size();
    while (sent_ < headSize + body.size() && !sendFailed_) {
        const std::string_view head = request_.head.reveal().substr(std::min(sent_, headSize));
        const std::string_view rest = body.substr(sent_ - (headSize - head.size()), greatestWrite);
        const Io io = socket_->write(head, rest);
        if (io.kind == Io::Kind::wait) {
            return;
        }
        if (io.kind == Io::Kind::done) {
            sent(io.size);
        } else {
            // There may be an answer nevertheless, and the reason in it: what can be read decides.
            sendFailed_ = true;
        }
        if (isTurnOver()) {
            return;
        }
    }
}

void HttpCall::sent(std::size_t size) {
    sent_ += size;
    if (phase_ == Phase::waiting) {
        lastProgress_ = std::chrono::steady_clock::now();
    }
}

// The answer

void HttpCall::receive() {
    bool more = !goesOn_;
    while (more && socket_ && !paused_ && !closed_) {
        if (!readOnce(more) || isTurnOver()) {
            return;
        }
    }
}

/// @param more is set to false when there is nothing for now.
/// @return false when the call has gone on elsewhere.
bool HttpCall::readOnce(bool& more) {
    const std::span<char> buffer = owner_.buffer();
    const Io io = socket_->read(buffer);
    switch (io.kind) {
        case Io::Kind::done:
            more = closing_ || !socket_->shortReadIsLast() || io.size == buffer.size();
            take(buffer.first(io.size));
            return !over_;
        case Io::Kind::wait:
            more = false;
            return true;
        case Io::Kind::closed:
            closed_ = true;
            if (answered_) {
                reader_.end();
                settle();
            } else {
                connectionFailed("the connection was closed without an answer");
            }
            return false;
        case Io::Kind::failed:
            break;
    }
    connectionFailed(io.problem);
    return false;
}

void HttpCall::take(std::span<char> bytes) {
    answered_ = true;
    if (input_.empty()) {
        std::size_t taken = 0;
        guarded([&] { taken = reader_.feed(bytes); });
        input_.assign(bytes.begin() + static_cast<std::ptrdiff_t>(taken), bytes.end());
    } else {
        input_.append(bytes.begin(), bytes.end());
    }
    handOn();
}

/// What a listener throws ends the call.
template <class F>
void HttpCall::guarded(F function) {
    try {
        function();
    } catch (const std::exception& error) {
        failure_ = {UpstreamProblem::cancelled, std::string("the listener threw: ") + error.what()};
    } catch (...) {
        failure_ = {UpstreamProblem::cancelled, "the listener threw"};
    }
}

/// Works on what has been read, until there is no more or it is to be held back.
void HttpCall::handOn() {
    guarded([this] {
        const auto decode = [this] {
            if (decoder_ && !decoder_->decode([this](std::string_view piece) { deliver(piece); },
                                              [this] { return wantsMore(); })) {
                failure_ = {UpstreamProblem::broken, "the body is not compressed as it says"};
            }
        };
        decode();
        if (!input_.empty() && wantsMore()) {
            input_.erase(0, reader_.feed(input_));
            decode();
        }
    });
    settle();
}

bool HttpCall::wantsMore() const {
    return !paused_ && !failure_ && std::chrono::steady_clock::now() < turnEnd_;
}

void HttpCall::onResponseHead(UpstreamHead head) {
    chooseDecoder(head);
    enter(Phase::receiving);
    listener_->onHead(head);
}

/// Where the body is compressed, the headers that speak of its compressed bytes are taken away.
void HttpCall::chooseDecoder(UpstreamHead& head) {
    std::optional<std::string> coding;
    for (const auto& [name, value] : head.headers) {
        if (name == "content-encoding") {
            coding = coding ? *coding + ", " + value : value;
        }
    }
    if (!coding) {
        return;
    }
    if (!ContentDecoder::isIdentity(*coding)) {
        decoder_ = ContentDecoder::of(*coding);
        if (!decoder_) {
            failure_ = {UpstreamProblem::broken,
                        "the body is compressed in a way that nobody asked for: " + *coding};
        }
    }
    std::erase_if(head.headers, [](const auto& header) {
        return header.first == "content-encoding" || header.first == "content-length";
    });
}

void HttpCall::onContent(std::string_view piece) {
    lastProgress_ = std::chrono::steady_clock::now();
    if (decoder_) {
        decoder_->add(piece);
    } else {
        deliver(piece);
    }
}

void HttpCall::deliver(std::string_view piece) {
    delivered_ += piece.size();
    if (delivered_ > request_.endpoint.maxResponse) {
        failure_ = {UpstreamProblem::tooLarge,
                    "more than " + std::to_string(request_.endpoint.maxResponse) + " bytes"};
        return;
    }
    listener_->onBody(piece);
}

/// Ends the call if it is to be ended.
void HttpCall::settle() {
    if (over_) {
        return;
    }
    if (failure_) {
        end(*failure_);
    } else if (!reader_.problem().empty()) {
        end({UpstreamProblem::broken, reader_.problem()});
    } else if (reader_.complete() && (!decoder_ || (decoder_->idle() && !paused_))) {
        const bool whole = !decoder_ || decoder_->complete();
        end(whole ? Outcome{} : Outcome{UpstreamProblem::broken, "the compressed body has no end"});
    }
}

void HttpCall::connectionFailed(const std::string& problem) {
    if (kept_ && !answered_) {
        socket_ = nullptr;
        sent_ = 0;
        sendFailed_ = false;
        closed_ = false;
        dial();
        return;
    }
    end({UpstreamProblem::broken, problem});
}

// Holding back

void HttpCall::resume() {
    if (over_ || !std::exchange(paused_, false)) {
        return;
    }
    enter(phase_);
    beginTurn();
    proceed();
}

void HttpCall::goOn() {
    goesOn_ = false;
    if (over_ || !socket_) {
        return;
    }
    beginTurn();
    send();
    proceed();
}

void HttpCall::proceed() {
    if (over_ || paused_ || !socket_) {
        return;
    }
    const std::size_t before = input_.size();
    handOn();
    // What gets no further without more input must be given some.
    const bool stuck = input_.size() == before && (!decoder_ || decoder_->idle());
    if (!over_ && (stuck || !isTurnOver())) {
        receive();
    }
}

}  // namespace sallyport::plugins::llm
