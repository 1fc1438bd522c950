#include "dial.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace sallyport::plugins::llm {

namespace {

/// RFC 8305 section 5: the Connection Attempt Delay.
constexpr std::chrono::milliseconds attemptDelay{250};

/// More are not tried, however many a name has.
constexpr std::size_t greatestTries = 8;

/// Both families by turns (RFC 8305 section 4), so that one that leads nowhere does not take up all tries.
std::vector<SocketAddress> byTurns(std::vector<SocketAddress> addresses) {
    const auto isLikeTheFirst = [family = addresses.empty() ? sa_family_t{} : addresses[0].storage.ss_family](
                                    const SocketAddress& address) {
        return address.storage.ss_family == family;
    };
    const auto others = std::stable_partition(addresses.begin(), addresses.end(), isLikeTheFirst);
    std::vector<SocketAddress> mixed;
    mixed.reserve(addresses.size());
    auto one = addresses.begin();
    auto other = others;
    while (one != others || other != addresses.end()) {
        if (one != others) {
            mixed.push_back(*one++);
        }
        if (other != addresses.end()) {
            mixed.push_back(*other++);
        }
    }
    return mixed;
}

std::string tunnelRequestFor(const Route& route) {
    const std::string target = bracketed(route.host) + ":" + std::to_string(route.port);
    std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
    if (!route.proxy->authorization.empty()) {
        request.append("Proxy-Authorization: ").append(route.proxy->authorization).append("\r\n");
    }
    return request.append("\r\n");
}

}  // namespace

Dial::Dial(Parts parts, const Route& route, DialListener& listener)
    : parts_(std::move(parts)), route_(route), listener_(listener), self_(std::make_shared<Dial*>(this)) {}

Dial::~Dial() {
    *self_ = nullptr;
}

void Dial::start() {
    // Of their own, as the listener may destroy this within the call.
    const std::string host = route_.proxy ? route_.proxy->host : route_.host;
    const std::uint16_t port = route_.proxy ? route_.proxy->port : route_.port;
    const auto resolve = parts_.resolve;
    try {
        resolve(host, port, [self = self_](const Addresses& addresses) {
            if (Dial* const dial = *self) {
                dial->resolved(addresses);
            }
        });
    } catch (const std::system_error& error) {
        fail(UpstreamProblem::resolve, std::string("the name cannot be looked up: ") + error.what());
    }
}

void Dial::resolved(const Addresses& addresses) {
    if (!addresses.problem.empty()) {
        fail(UpstreamProblem::resolve, addresses.problem);
        return;
    }
    addresses_ = byTurns(addresses.found);
    addresses_.resize(std::min(addresses_.size(), greatestTries));
    tryNext(std::chrono::steady_clock::now());
}

void Dial::tryNext(Time now) {
    while (tried_ < addresses_.size()) {
        const SocketAddress& address = addresses_[tried_++];
        auto attempt = std::make_unique<Attempt>(*this);
        try {
            attempt->socket = std::make_unique<Socket>(
                parts_.sockets, *attempt, reinterpret_cast<const sockaddr&>(address.storage), address.size);
            attempts_.push_back(std::move(attempt));
            break;
        } catch (const std::system_error& error) {
            lastProblem_ = error.code().message();
        }
    }
    nextTry_ = tried_ < addresses_.size() ? now + attemptDelay : Time::max();
    if (attempts_.empty()) {
        fail(UpstreamProblem::connect, lastProblem_);
    } else if (nextTry_ != Time::max()) {
        listener_.onNextTry(nextTry_);
    }
}

void Dial::attemptEvents(Attempt& attempt, IoEvents events) {
    const int error = attempt.socket->error();
    if (error == 0) {
        if (has(events, IoEvents::writable)) {
            won(attempt, events);
        }
        return;
    }
    lastProblem_ = std::generic_category().message(error);
    std::erase_if(attempts_, [&](const auto& other) { return other.get() == &attempt; });
    if (tried_ < addresses_.size() || attempts_.empty()) {
        tryNext(std::chrono::steady_clock::now());
    }
}

void Dial::won(Attempt& attempt, IoEvents events) {
    socket_ = std::move(attempt.socket);
    events_ = events;
    socket_->rewatch(*this);
    attempts_.clear();
    nextTry_ = Time::max();
    if (route_.proxy && route_.tls) {
        beginTunnel();
    } else if (route_.tls) {
        beginTls();
    } else {
        done();
    }
}

void Dial::onEvents(IoEvents events) {
    events_ |= events;
    if (step_ == Step::tunnelling) {
        tunnel();
    } else {
        greet();
    }
}

void Dial::beginTunnel() {
    step_ = Step::tunnelling;
    tunnelRequest_ = tunnelRequestFor(route_);
    ResponseSink& sink = *this;
    tunnelAnswer_.emplace(sink, ResponseReader::Expect::headOnly);
    tunnel();
}

void Dial::tunnel() {
    if (sendTunnelRequest()) {
        readTunnelAnswer();
    }
}

/// @return whether to go on.
bool Dial::sendTunnelRequest() {
    while (!tunnelRequest_.empty()) {
        const Io io = socket_->write(tunnelRequest_, {});
        if (io.kind == Io::Kind::wait) {
            return true;
        }
        if (io.kind != Io::Kind::done) {
            fail(UpstreamProblem::connect, "the proxy: " + io.problem);
            return false;
        }
        tunnelRequest_.erase(0, io.size);
    }
    return true;
}

void Dial::readTunnelAnswer() {
    std::array<char, 4096> buffer{};
    for (;;) {
        const Io io = socket_->read(buffer);
        if (io.kind == Io::Kind::wait) {
            return;
        }
        if (io.kind != Io::Kind::done) {
            fail(UpstreamProblem::connect,
                 "the proxy closed the connection" + (io.problem.empty() ? "" : ": " + io.problem));
            return;
        }
        tunnelInput_.append(buffer.data(), io.size);
        const std::size_t taken = tunnelAnswer_->feed(tunnelInput_);
        tunnelInput_.erase(0, taken);
        if (!tunnelAnswer_->problem().empty()) {
            fail(UpstreamProblem::connect, "the proxy's answer: " + tunnelAnswer_->problem());
            return;
        }
        if (tunnelAnswer_->complete()) {
            tunnelAnswered(tunnelInput_.size());
            return;
        }
    }
}

/// @param left bytes behind the answer. A TLS server waits to be spoken to.
void Dial::tunnelAnswered(std::size_t left) {
    if (!isSuccess(tunnelStatus_)) {
        fail(UpstreamProblem::connect,
             "the proxy answered " + std::to_string(tunnelStatus_) + " to CONNECT " + route_.authority);
    } else if (left > 0) {
        fail(UpstreamProblem::connect, "the proxy sent more than its answer to CONNECT");
    } else {
        beginTls();
    }
}

void Dial::beginTls() {
    step_ = Step::greeting;
    try {
        socket_->startTls(*parts_.tls.trusting(route_.caFile), route_.host);
    } catch (const std::runtime_error& error) {
        fail(UpstreamProblem::tls, error.what());
        return;
    }
    greet();
}

void Dial::greet() {
    const Io io = socket_->handshake();
    if (io.kind == Io::Kind::done) {
        done();
    } else if (io.kind != Io::Kind::wait) {
        fail(UpstreamProblem::tls,
             io.kind == Io::Kind::closed ? "the server ended the TLS greeting" : io.problem);
    }
}

void Dial::done() {
    listener_.onConnected(std::move(socket_), events_);
}

void Dial::fail(UpstreamProblem problem, std::string detail) {
    listener_.onDialFailed({problem, std::move(detail)});
}

}  // namespace sallyport::plugins::llm
