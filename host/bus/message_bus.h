// Messages inside the process.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include <sallyport/bus.h>
#include <sallyport/log.h>

namespace sallyport::host::bus {

/// Subscriptions, grouped by who made them so that they can be taken back together. [any thread]
class MessageBus {
public:
    explicit MessageBus(Logger& log);
    ~MessageBus();

    /// What `wake` calls; set by the HTTP server that parks requests. [before any wake]
    void onWake(std::function<void(std::string_view topic)> wake);

    using Receiver = std::function<void(const void* message)>;
    /// Makes what is called in a receiver's place.
    using Wrap = std::function<Receiver(Receiver)>;

    /// A bus for one subscriber group (the host, or one plugin). Destroying it ends its subscriptions and
    /// waits for calls in progress on other threads. A receiver may destroy its own group: its own call
    /// then goes on to its end. Two receivers of two groups that destroy each other's wait for ever.
    /// @param wrap for each of its receivers; null: they are called as they are.
    [[nodiscard]] std::unique_ptr<Bus> group(Wrap wrap = nullptr);

private:
    class Group;
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace sallyport::host::bus
