// One call over HTTP/1.1.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sallyport/secret_text.h>

#include "content_decoder.h"
#include "dial.h"
#include "response_reader.h"
#include "route.h"
#include "socket.h"
#include "upstream.h"

namespace sallyport::plugins::llm {

/// A request that has been checked, ready to be sent.
struct PreparedRequest {
    Route route;
    std::string poolKey;  ///< Route::key
    SecretText head;
    std::shared_ptr<const std::string> body;
    Endpoint endpoint;
};

class HttpCall;

/// What a loop does for its calls. [the loop's thread]
class CallOwner {
public:
    using Time = std::chrono::steady_clock::time_point;

    virtual ~CallOwner() = default;

    /// What dials need.
    [[nodiscard]] virtual Dial::Parts dialParts() = 0;
    /// A kept connection; null if there is none.
    [[nodiscard]] virtual std::unique_ptr<Socket> takeConnection(const std::string& poolKey) = 0;
    /// Lent to one read at a time.
    [[nodiscard]] virtual std::span<char> buffer() = 0;
    /// The call wants to be asked for its problem by that time.
    virtual void lookBy(Time time) = 0;
    /// When a call that has the loop now is to give it back, having more to do than is fair to others.
    [[nodiscard]] virtual Time turnEnd() const = 0;
    /// The call has given the loop back, and wants to be told to `goOn`.
    virtual void again(Upstream::Id call) = 0;
    /// The call is over. It lives until the loop's turn ends.
    /// @param connection one that can be kept, or null.
    virtual void ended(HttpCall& call, const Outcome& outcome, const std::string& poolKey,
                       std::unique_ptr<Socket> connection) = 0;
};

/// Sends one request and reads its answer, over a kept connection where there is one. A kept connection may
/// be closed by the server at the very moment at which it is used again: the request then goes over a new
/// one, provided nothing of an answer has come. [the loop's thread]
class HttpCall final : private Watcher, private DialListener, private ResponseSink {
public:
    using Time = CallOwner::Time;

    /// @param owner must outlive this.
    HttpCall(CallOwner& owner, Upstream::Id id, PreparedRequest request,
             std::shared_ptr<UpstreamListener> listener);

    void start();
    /// Ends it now.
    void end(const Outcome& outcome);

    /// Holds the answer back, from the next piece on.
    void pause() { paused_ = true; }
    void resume();
    /// Sends and reads on, as asked for with CallOwner::again.
    void goOn();

    /// When to ask for `checkTime` again.
    [[nodiscard]] Time deadline() const;
    /// Ends the call if it has taken too long for something.
    void checkTime(Time now);

    [[nodiscard]] Upstream::Id id() const noexcept { return id_; }
    [[nodiscard]] UpstreamListener& listener() noexcept { return *listener_; }

private:
    enum class Phase { connecting, waiting, receiving };

    void onEvents(IoEvents events) override;
    void onConnected(std::unique_ptr<Socket> socket, IoEvents events) override;
    void onDialFailed(const Outcome& outcome) override;
    void onNextTry(Time time) override { owner_.lookBy(time); }
    void onResponseHead(UpstreamHead head) override;
    void onContent(std::string_view piece) override;
    [[nodiscard]] bool wantsMore() const override;

    void dial();
    void use(std::unique_ptr<Socket> socket, IoEvents events);
    void enter(Phase phase);
    [[nodiscard]] std::chrono::milliseconds limit() const;
    [[nodiscard]] Outcome timeOut() const;

    void beginTurn() { turnEnd_ = owner_.turnEnd(); }
    [[nodiscard]] bool isTurnOver();
    void send();
    void sent(std::size_t size);
    void proceed();
    void receive();
    [[nodiscard]] bool readOnce(bool& more);
    void take(std::span<char> bytes);
    template <class F>
    void guarded(F function);
    void handOn();
    void deliver(std::string_view piece);
    void chooseDecoder(UpstreamHead& head);
    void settle();
    void connectionFailed(const std::string& problem);

    CallOwner& owner_;
    const Upstream::Id id_;
    PreparedRequest request_;
    const std::shared_ptr<UpstreamListener> listener_;

    Phase phase_ = Phase::connecting;
    const Time began_;
    Time lastProgress_;
    Time turnEnd_;  ///< of the turn it has, or had last
    bool over_ = false;
    bool paused_ = false;
    std::optional<Outcome> failure_;  ///< why the answer cannot be read on

    std::unique_ptr<Dial> dial_;
    std::unique_ptr<Socket> socket_;
    bool kept_ = false;      ///< the connection has served another call
    bool answered_ = false;  ///< something of an answer has come
    bool closing_ = false;   ///< the server has said or shown that nothing comes after what can be read
    bool closed_ = false;    ///< and that has been read
    std::size_t sent_ = 0;   ///< of head and body
    bool sendFailed_ = false;
    bool goesOn_ = false;  ///< `goOn` is to come

    ResponseReader reader_;
    std::unique_ptr<ContentDecoder> decoder_;
    std::string input_;  ///< read, and not taken by reader_ yet
    std::size_t delivered_ = 0;
};

}  // namespace sallyport::plugins::llm
