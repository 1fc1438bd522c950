// Calls on one of the host's event loops.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include <sallyport/ext/io.h>
#include <sallyport/log.h>

#include "connection_pool.h"
#include "http_call.h"
#include "resolver.h"
#include "socket.h"
#include "tls_contexts.h"
#include "upstream.h"

namespace sallyport::plugins::llm {

/// The calls of one loop and the connections that are kept for those to come. The loop watches its sockets,
/// and has one timer for all that is to happen at some time. Calls and timers come in as commands. It gives
/// the loop back after a fraction of a millisecond, whatever there is left to do, and takes it again when
/// others had their turn; calls take turns within that. To be made as a shared object.
class HttpLoop final : public std::enable_shared_from_this<HttpLoop>, private SocketSet, private CallOwner {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// @param tls must outlive this.
    HttpLoop(std::shared_ptr<IoLoop> loop, TlsContexts& tls, Logger& log);
    ~HttpLoop() override;
    HttpLoop(const HttpLoop&) = delete;
    HttpLoop& operator=(const HttpLoop&) = delete;

    // [any thread]
    void start(Upstream::Id id, PreparedRequest request, std::shared_ptr<UpstreamListener> listener);
    void cancel(Upstream::Id id);
    void setPaused(Upstream::Id id, bool paused);
    void after(std::chrono::milliseconds delay, std::function<void()> task);

    [[nodiscard]] bool onOwnThread() const noexcept { return loop_->isCurrent(); }

    /// Begins on the loop. Commands are carried out from then on. [any thread]
    void attach();
    /// Ends all calls with `cancelled`, those begun meanwhile included, and leaves the loop. [any thread, the
    /// loop's own outside of listeners]
    void detach();

private:
    struct Start {
        Upstream::Id id;
        PreparedRequest request;
        std::shared_ptr<UpstreamListener> listener;
    };
    struct Cancel {
        Upstream::Id id;
    };
    struct SetPaused {
        Upstream::Id id;
        bool paused;
    };
    struct GoOn {
        Upstream::Id id;
    };
    struct Timer {
        Time due;
        std::function<void()> task;
    };
    using Command = std::variant<Start, Cancel, SetPaused, GoOn, Timer>;
    /// A socket that the loop watches.
    struct Watched {
        int descriptor;
        Watcher* watcher;
    };

    std::uint64_t watch(int descriptor, Watcher& watcher) override;
    void rewatch(std::uint64_t watch, Watcher& watcher) override;
    void unwatch(std::uint64_t watch) override;

    [[nodiscard]] Dial::Parts dialParts() override;
    [[nodiscard]] std::unique_ptr<Socket> takeConnection(const std::string& poolKey) override;
    [[nodiscard]] std::span<char> buffer() override { return buffer_; }
    void lookBy(Time time) override;
    [[nodiscard]] Time turnEnd() const override;
    void again(Upstream::Id call) override;
    void ended(HttpCall& call, const Outcome& outcome, const std::string& poolKey,
               std::unique_ptr<Socket> connection) override;

    template <class F>
    void onLoop(F function);
    void post(Command command);
    template <class F>
    void enter(F function);
    void turn();
    void postTurn();
    [[nodiscard]] bool isTurnOver() const;
    void armTimer();

    [[nodiscard]] std::vector<Command> takeCommands();
    void putBack(std::vector<Command> commands, std::size_t done);
    void runCommands();
    void execute(Start& command);
    void execute(const Cancel& command);
    void execute(const SetPaused& command);
    void execute(const GoOn& command);
    void execute(Timer& command);
    [[nodiscard]] HttpCall* find(Upstream::Id id);

    void runTimers();
    void checkDeadlines();
    void cancelAll();
    template <class F>
    void guarded(const char* failure, F function);

    const std::shared_ptr<IoLoop> loop_;
    TlsContexts& tls_;
    Logger& log_;

    std::mutex mutex_;
    std::vector<Command> commands_;  ///< guarded by mutex_

    // The rest is for the loop's thread.
    bool attached_ = false;
    std::unique_ptr<IoTimer> timer_;
    Time now_;                  ///< when its turn began
    Time armed_ = Time::max();  ///< when the timer expires
    Time deadlinesDue_ = Time::max();
    std::multimap<Time, std::function<void()>> timers_;
    std::vector<char> buffer_;
    std::uint64_t watches_ = 0;  ///< the last one's number; none is used twice
    std::unordered_map<std::uint64_t, std::unique_ptr<Watched>> watched_;
    std::optional<Resolver> resolver_;
    ConnectionPool pool_;
    std::unordered_map<Upstream::Id, std::unique_ptr<HttpCall>> calls_;
    std::vector<std::unique_ptr<HttpCall>> graveyard_;  ///< over, and perhaps still on the stack
};

}  // namespace sallyport::plugins::llm
