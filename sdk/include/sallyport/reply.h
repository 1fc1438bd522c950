// What a handler returns. The kind of reply decides who owns the connection next.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <sallyport/events.h>
#include <sallyport/json_writer.h>

namespace sallyport {

class Reply;
class RequestError;
class Store;
class Transaction;
class Tunnel;

/// How the host tells that nobody waits for the answer to a deferred request any more. [any thread]
class Abandonment {
public:
    /// Whether somebody wants to know.
    [[nodiscard]] bool watched() const;
    /// Nobody waits from here on. Calls after the first do nothing.
    void declare();

private:
    friend class Promise;

    mutable std::mutex mutex_;
    bool declared_ = false;
    std::function<void()> abandoned_;
};

/// The right to answer one deferred request, once. Copies share the right. If the last copy goes away
/// unused, the client gets a 500. [any thread]
class Promise {
public:
    /// The host's end of a promise. Called at most once.
    using Sink = std::function<void(Reply)>;

    /// @param sink        is given the answer.
    /// @param abandonment how the maker of the promise tells that nobody waits any more.
    explicit Promise(Sink sink, std::shared_ptr<Abandonment> abandonment = nullptr);

    /// Answers the request. Calls after the first do nothing. The reply may be of any kind but
    /// deferred.
    void fulfil(Reply reply) const;

    /// Calls `abandoned` once if the client goes away, or its token is revoked, before the request is
    /// answered; at once if that has happened. A client that has only shut down its sending side still waits,
    /// but on HTTP/1.0. To be asked for while the request is being deferred. On the connection's thread: do
    /// not block.
    void onAbandoned(std::function<void()> abandoned) const;

private:
    struct State;
    std::shared_ptr<State> state_;
    std::shared_ptr<Abandonment> abandonment_;
};

/// A response body that is written as it comes into being. [any thread]
class Stream {
public:
    virtual ~Stream() = default;

    /// Sends bytes to the client at once, in order, never blocking; what the network does not take is
    /// buffered without bound, so watch `pending()`.
    /// @return false when the client is gone; nothing more can be sent.
    virtual bool write(std::string_view bytes) = 0;

    /// Ends the body properly. Later calls do nothing.
    virtual void end() = 0;

    /// Cuts the connection, so that the client can tell that the body is not whole.
    virtual void abort() = 0;

    /// Bytes written and not yet taken by the network.
    [[nodiscard]] virtual std::size_t pending() const = 0;

    /// Calls `gone` once, when the client goes away, its token is revoked or the daemon stops before
    /// `end()`; at once if that has happened. On the connection's thread: do not block.
    virtual void onClosed(std::function<void()> gone) = 0;

    /// Calls `drained` once, when the network has taken all that was written; at once if it has. Not
    /// called any more once the body has ended or the client is gone. On the connection's thread, or at
    /// once on the caller's: do not block.
    virtual void onDrained(std::function<void()> drained) = 0;
};

/// An answer. Cheap to move; never copied.
class Reply {
public:
    /// Names and values.
    using Headers = std::vector<std::pair<std::string, std::string>>;
    /// Starts a streamed body; called on the connection's thread once the head has been sent, also when that
    /// has failed: the stream is closed then.
    using Producer = std::function<void(std::shared_ptr<Stream>)>;
    /// Tries again to answer a parked request; nothing means: keep waiting.
    using Retry = std::function<std::optional<Reply>()>;

    /// A complete answer.
    struct Whole {
        std::string contentType;  ///< empty for no body
        std::string body;         ///< all of it
    };
    /// An answer that is given later.
    struct Deferred {
        std::function<void(Promise)> start;  ///< see `deferred`
    };
    /// An answer whose body is written as it comes.
    struct Streamed {
        std::string contentType;  ///< of the body
        Producer producer;        ///< see `stream`
    };
    /// Server-Sent Events.
    struct Subscribed {
        Subscription subscription;  ///< what is sent
    };
    /// A request that waits for a topic.
    struct Parked {
        std::string topic;                  ///< what it waits for
        std::chrono::milliseconds timeout;  ///< how long at the most
        Retry retry;                        ///< makes the answer
        std::shared_ptr<Reply> otherwise;   ///< the answer when the time is over
    };
    /// A connection that the plugin takes over.
    struct Tunnelled {
        std::string protocol;            ///< that it changes to; empty for a proxy's tunnel
        std::shared_ptr<Tunnel> tunnel;  ///< the plugin's end of it
    };
    /// One of the kinds of replies.
    using Content = std::variant<Whole, Deferred, Streamed, Subscribed, Parked, Tunnelled>;

    /// A JSON object (`application/json`).
    /// @param status of HTTP.
    /// @param write  is given the json::Writer inside of the object, and adds its members.
    template <std::invocable<json::Writer&> Write>
    [[nodiscard]] static Reply json(int status, Write&& write) {
        std::string text;
        json::Writer writer(text);
        writer.beginObject();
        std::forward<Write>(write)(writer);
        writer.endObject();
        return jsonText(status, std::move(text));
    }
    /// JSON text that is ready to send.
    [[nodiscard]] static Reply jsonText(int status, std::string text);
    /// No body.
    [[nodiscard]] static Reply empty(int status);
    /// Any other body.
    [[nodiscard]] static Reply text(int status, std::string contentType, std::string body);
    /// The error body of CONTRACT §1, with `Retry-After` if the error carries one.
    [[nodiscard]] static Reply error(const RequestError& error);
    /// The same for whatever was thrown: what a RequestError says, and a bare 500 for the rest.
    [[nodiscard]] static Reply failure(const std::exception_ptr& problem);

    /// An answer that some other thread gives later. `start` is called once, on the connection's
    /// thread, after which the connection waits without a thread.
    [[nodiscard]] static Reply deferred(std::function<void(Promise)> start);

    /// The answer that `then` makes, on the store's thread, once `work` is durable; a 503 if it could
    /// not be stored, and what `work` or `then` throw otherwise. `work` follows the rules of
    /// Store::submit.
    [[nodiscard]] static Reply whenStored(Store& store, std::function<void(Transaction&)> work,
                                          std::function<Reply()> then);

    /// A body that `producer` writes as it comes, chunked on HTTP/1.1.
    [[nodiscard]] static Reply stream(int status, std::string contentType, Producer producer);

    /// Server-Sent Events: gives the connection to the host's hub.
    [[nodiscard]] static Reply events(Subscription subscription);

    /// Parks the request without a thread until `Bus::wake(topic)` is called and `retry` gives an
    /// answer, or `timeout` passes and `otherwise` is the answer. `retry` is called once right after
    /// parking, so that nothing that happens in between is missed, and then after each wake, on the
    /// connection's thread: it must not block. If the client goes away first, neither is used.
    [[nodiscard]] static Reply waitFor(std::string topic, std::chrono::milliseconds timeout, Retry retry,
                                       Reply otherwise);

    /// Gives both directions of the connection to `tunnel` (ext/tunnels.h), in answer to a request to a
    /// proxy. CONNECT is answered 200 with the headers of this reply. Of a request in absolute form nothing
    /// is answered: the tunnel sends the whole response.
    [[nodiscard]] static Reply tunnel(std::shared_ptr<Tunnel> tunnel);

    /// Gives both directions of the connection to `tunnel` (ext/tunnels.h) after a change to `protocol`, such
    /// as `websocket`: answers 101 with `Upgrade`, `Connection` and the headers of this reply (RFC 9110
    /// section 7.8). A client that has not asked for that protocol is answered 426.
    [[nodiscard]] static Reply upgrade(std::string protocol, std::shared_ptr<Tunnel> tunnel);

    /// What is moved from is of no use any more.
    Reply(Reply&&) noexcept = default;
    /// What is moved from is of no use any more.
    Reply& operator=(Reply&&) noexcept = default;
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    ~Reply() = default;

    /// Adds a header. Framing headers (`Content-Length`, `Connection`, …) are the host's and ignored.
    Reply& header(std::string name, std::string value) &;
    /// The same for a reply that is being made: `return Reply::empty(204).header(…)`.
    Reply&& header(std::string name, std::string value) &&;

    /// Has `delivered` called once for a complete answer: true when all its bytes were handed to the
    /// network, false when the connection failed before that. On the connection's thread.
    Reply&& onDelivered(std::function<void(bool)> delivered) &&;

    /// The HTTP status.
    [[nodiscard]] int status() const noexcept { return status_; }
    /// What `header` added.
    [[nodiscard]] const Headers& headers() const noexcept { return headers_; }
    /// What kind it is, for the host and for tests.
    [[nodiscard]] const Content& content() const noexcept { return content_; }
    /// The same, to be taken apart.
    [[nodiscard]] Content& content() noexcept { return content_; }
    /// What `onDelivered` was given, for the host and for tests; empty the second time.
    [[nodiscard]] std::function<void(bool)> takeDelivered() { return std::exchange(delivered_, nullptr); }

private:
    Reply(int status, Content content) : status_(status), content_(std::move(content)) {}

    int status_;
    Headers headers_;
    Content content_;
    std::function<void(bool)> delivered_;
};

}  // namespace sallyport
