// Counts the calls into one plugin, so that it can be replaced without losing one.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/entry/entry.h"

namespace sallyport::host::http {

/// Goes for the name of a plugin where the host's own routes and tasks are meant.
inline constexpr const char* hostName = "sallyportd";

/// Every call into a plugin's code passes its gate. A held gate lets nobody in; who finds it held is told
/// when to look again. [any thread]
class Gate : public std::enable_shared_from_this<Gate> {
public:
    /// A call in progress. A reply that has turned into a stream only lingers: it may outlast a reload.
    class Ticket {
    public:
        Ticket(Ticket&& other) noexcept
            : gate_(std::move(other.gate_)), lingering_(std::exchange(other.lingering_, false)) {}
        Ticket& operator=(Ticket&& other) noexcept;
        Ticket(const Ticket&) = delete;
        Ticket& operator=(const Ticket&) = delete;
        ~Ticket() { leave(); }

        void linger();
        [[nodiscard]] const Gate& gate() const { return *gate_; }

    private:
        friend class Gate;
        explicit Ticket(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}
        void leave();

        std::shared_ptr<Gate> gate_;
        bool lingering_ = false;
    };

    /// @param log is told what the plugin's code does wrong, and outlives the gate; null: nobody is.
    explicit Gate(std::string plugin, std::string version = {}, Logger* log = nullptr)
        : owner_{std::move(plugin), std::move(version), log} {}

    [[nodiscard]] const std::string& plugin() const noexcept { return owner_.name; }
    /// For entering its code.
    [[nodiscard]] const entry::Plugin& owner() const noexcept { return owner_; }

    /// Nothing while the gate is held.
    [[nodiscard]] std::optional<Ticket> enter();

    /// Counts something that a call in progress leaves behind (a callback it waits for), held or not.
    [[nodiscard]] Ticket enterFromInside();

    void hold();
    /// Whether it is held at this moment.
    [[nodiscard]] bool isHeld() const noexcept { return held_; }
    /// Opens the gate and calls everybody who waited.
    void release();
    /// Calls `resume` once the gate is released; at once when it is not held.
    void whenReleased(std::function<void()> resume);

    /// Waits until no call is in progress, streams aside. Only a held gate becomes idle for good.
    /// @return false when `limit` passed first.
    [[nodiscard]] bool waitIdle(std::chrono::milliseconds limit);

    /// Waits, however long that takes, until neither a call nor a stream is left.
    void waitQuiet();

    /// Whether neither a call nor a stream is left.
    [[nodiscard]] bool quiet() const { return calls_ == 0 && lingering_ == 0; }

private:
    void left(std::atomic<std::int64_t>& count);

    const entry::Plugin owner_;
    std::atomic<bool> held_{false};
    std::atomic<std::int64_t> calls_{0};
    std::atomic<std::int64_t> lingering_{0};
    std::atomic<int> awaited_{0};  ///< threads in waitIdle and waitQuiet
    std::mutex mutex_;
    std::condition_variable idle_;
    std::vector<std::function<void()>> waiting_;
};

}  // namespace sallyport::host::http
