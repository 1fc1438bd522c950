// What a test's request was answered with.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include <sallyport/call.h>
#include <sallyport/json.h>
#include <sallyport/reply.h>
#include <sallyport/testing/recorded_stream.h>
#include <sallyport/testing/recorded_tunnel.h>

namespace sallyport::testing {

/// The answer to one request, of whatever kind. One that a handler deferred may not be there yet: then all
/// that asks for its contents waits. [one thread at a time]
class Answer {
public:
    /// Makes the client of a tunnel.
    using Opener = std::function<std::shared_ptr<RecordedTunnel>(std::shared_ptr<Tunnel>)>;

    /// The answer to `call`, which is kept for as long as what the reply's functions refer to. One that is
    /// deferred is begun.
    Answer(Reply reply, std::shared_ptr<const Call> call, Opener opener = {});

    /// Whether the handler has answered. Never waits.
    [[nodiscard]] bool answered() const;

    /// The HTTP status.
    [[nodiscard]] int status() const { return reply().status(); }
    /// The headers that the handler added.
    [[nodiscard]] const Reply::Headers& headers() const { return reply().headers(); }
    /// The first header of that name, in that letter case.
    [[nodiscard]] std::optional<std::string> header(std::string_view name) const;

    /// The body of a complete answer; empty for any other.
    [[nodiscard]] std::string body() const;
    /// The body's JSON object. It refers to this answer. @throws std::bad_variant_access, json::ParseError
    [[nodiscard]] json::Object json() const;
    /// `error.code` of the body.
    [[nodiscard]] std::string code() const;
    /// `error.message` of the body.
    [[nodiscard]] std::string message() const;

    /// Whether it is a Reply::waitFor that still waits.
    [[nodiscard]] bool parked() const { return std::holds_alternative<Reply::Parked>(reply().content()); }
    /// What a parked request is answered with when it is woken now; nothing while it keeps waiting.
    [[nodiscard]] std::optional<Answer> retry();
    /// The topic that a parked request waits for.
    [[nodiscard]] const std::string& topic() const;
    /// What a parked request is answered with when its time is over. Once.
    [[nodiscard]] Answer timeOut();
    /// The status of that, if it is not deferred.
    [[nodiscard]] int statusOnTimeout() const;

    /// Whether it is a Reply::events.
    [[nodiscard]] bool subscribed() const {
        return std::holds_alternative<Reply::Subscribed>(reply().content());
    }
    /// What a Reply::events subscribes to.
    [[nodiscard]] const Subscription& subscription() const;

    /// Has the producer of a Reply::stream write to a new client. Once.
    [[nodiscard]] std::shared_ptr<RecordedStream> stream();

    /// Whether it is a Reply::tunnel or Reply::upgrade.
    [[nodiscard]] bool tunnels() const { return std::holds_alternative<Reply::Tunnelled>(reply().content()); }
    /// The protocol that a Reply::upgrade changes to; empty for a Reply::tunnel.
    [[nodiscard]] const std::string& protocol() const;
    /// Opens the tunnel with a new client. Once. It ends with the plugin.
    [[nodiscard]] std::shared_ptr<RecordedTunnel> open();

    /// Tells the handler whether its answer reached the network: what Reply::onDelivered asked for.
    void delivered(bool success);
    /// The client goes away before it is answered: what Promise::onAbandoned asked for.
    void hangUp();

private:
    [[nodiscard]] Reply& reply() const;

    std::shared_ptr<const Call> call_;  ///< what the reply's functions refer to goes away last
    Opener opener_;
    std::shared_ptr<Abandonment> abandonment_;
    mutable std::future<Reply> coming_;
    mutable std::optional<Reply> reply_;
};

}  // namespace sallyport::testing
