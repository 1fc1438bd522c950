// From a route to a connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resolver.h"
#include "response_reader.h"
#include "route.h"
#include "socket.h"
#include "tls_contexts.h"
#include "upstream.h"

namespace sallyport::plugins::llm {

/// How a call or a part of it ended.
struct Outcome {
    UpstreamProblem problem = UpstreamProblem::none;
    std::string detail;
};

/// Hears how a dial ended. It may destroy the dial.
class DialListener {
public:
    virtual ~DialListener() = default;
    /// @param events that the socket has told already, and will not tell again.
    virtual void onConnected(std::unique_ptr<Socket> socket, IoEvents events) = 0;
    virtual void onDialFailed(const Outcome& outcome) = 0;
    /// Dial::nextTry has changed.
    virtual void onNextTry(std::chrono::steady_clock::time_point time) = 0;
};

/// Makes one connection: finds the address, connects, has a proxy connect, greets with TLS. Addresses are
/// tried one after another, the next one also when the one before has not answered for a while, as
/// RFC 8305 (Happy Eyeballs) has it. Everything stops when it is destroyed. [the loop's thread]
class Dial final : private Watcher, private ResponseSink {
public:
    using Time = std::chrono::steady_clock::time_point;

    struct Parts {
        SocketSet& sockets;
        /// Resolver::resolve, or what takes its place in a test.
        std::function<void(const std::string& host, std::uint16_t port, Resolver::Done done)> resolve;
        TlsContexts& tls;
    };

    /// @param parts what they refer to must outlive this.
    Dial(Parts parts, const Route& route, DialListener& listener);
    ~Dial() override;

    /// Begins; the listener may hear of it at once.
    void start();

    /// When to call `tryNext`; the end of time if that is not needed.
    [[nodiscard]] Time nextTry() const noexcept { return nextTry_; }
    /// Tries the next address beside those that have not answered.
    void tryNext(Time now);

private:
    /// A socket that is connecting.
    struct Attempt final : Watcher {
        explicit Attempt(Dial& of) : dial(of) {}
        void onEvents(IoEvents events) override { dial.attemptEvents(*this, events); }

        Dial& dial;
        std::unique_ptr<Socket> socket;
    };

    enum class Step { connecting, tunnelling, greeting };

    void onEvents(IoEvents events) override;
    void onResponseHead(UpstreamHead head) override { tunnelStatus_ = head.status; }
    void onContent(std::string_view) override {}
    [[nodiscard]] bool wantsMore() const override { return true; }

    void resolved(const Addresses& addresses);
    void attemptEvents(Attempt& attempt, IoEvents events);
    void won(Attempt& attempt, IoEvents events);
    void beginTunnel();
    void tunnel();
    [[nodiscard]] bool sendTunnelRequest();
    void readTunnelAnswer();
    void tunnelAnswered(std::size_t left);
    void beginTls();
    void greet();
    void done();
    void fail(UpstreamProblem problem, std::string detail);

    const Parts parts_;
    const Route route_;
    DialListener& listener_;
    /// What a lookup finds when this has gone.
    const std::shared_ptr<Dial*> self_;

    Step step_ = Step::connecting;
    std::vector<SocketAddress> addresses_;
    std::size_t tried_ = 0;
    Time nextTry_ = Time::max();
    std::vector<std::unique_ptr<Attempt>> attempts_;
    std::string lastProblem_;
    std::unique_ptr<Socket> socket_;
    IoEvents events_ = IoEvents::none;  ///< of socket_ so far

    std::string tunnelRequest_;
    std::string tunnelInput_;
    std::optional<ResponseReader> tunnelAnswer_;
    int tunnelStatus_ = 0;
};

}  // namespace sallyport::plugins::llm
