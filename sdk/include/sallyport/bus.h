// Publish and subscribe inside the process.
#pragma once

#include <functional>
#include <string_view>

namespace sallyport {

/// Typed messages between the host and plugins. A message type names itself with a
/// `static constexpr const char* topic`.
class Bus {
public:
    virtual ~Bus() = default;

    /// Calls `receive` for each message of type M until the plugin is stopped, on the thread that
    /// publishes: it must not block. What it throws is logged. [during start]
    /// @throws std::logic_error later.
    template <class M>
    void subscribe(std::function<void(const M&)> receive) {
        subscribeRaw(M::topic, [receive = std::move(receive)](const void* message) {
            receive(*static_cast<const M*>(message));
        });
    }

    /// Hands the message to every subscriber before it returns. [any thread]
    template <class M>
    void publish(const M& message) {
        publishRaw(M::topic, &message);
    }

    /// Has requests that were parked on `topic` by Reply::waitFor try again. Never blocks. [any thread]
    virtual void wake(std::string_view topic) = 0;

private:
    virtual void subscribeRaw(std::string_view topic, std::function<void(const void*)> receive) = 0;
    virtual void publishRaw(std::string_view topic, const void* message) = 0;
};

}  // namespace sallyport
