// Calls with libcurl on one of the host's event loops.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <variant>
#include <vector>

#include <unistd.h>

#include <curl/curl.h>

#include <sallyport/io_loop.h>
#include <sallyport/log.h>

#include "curl_transfer.h"
#include "upstream.h"

namespace sallyport::plugins::llm {

/// One of libcurl's multi handles. Its sockets and a timer are in an epoll of its own, which the host's loop
/// watches. Calls and timers come in as commands; connections are kept for the calls to come. To be made as a
/// shared object.
class CurlLoop final : public std::enable_shared_from_this<CurlLoop>, private TransferOwner {
public:
    /// @throws std::runtime_error when there are no descriptors to be had.
    CurlLoop(std::shared_ptr<IoLoop> loop, Logger& log);
    ~CurlLoop() override;
    CurlLoop(const CurlLoop&) = delete;
    CurlLoop& operator=(const CurlLoop&) = delete;

    // [any thread]
    void start(Upstream::Id id, UpstreamRequest request, std::shared_ptr<UpstreamListener> listener);
    void cancel(Upstream::Id id);
    void setPaused(Upstream::Id id, bool paused);
    void after(std::chrono::milliseconds delay, std::function<void()> task);

    [[nodiscard]] bool onOwnThread() const noexcept { return loop_->isCurrent(); }

    /// Has the host's loop watch this one. Commands are carried out from then on. [any thread]
    void attach();
    /// Ends all calls with `cancelled`, those begun meanwhile included, and leaves the host's loop. [any
    /// thread, the loop's own outside of listeners]
    void detach();

private:
    struct Start {
        Upstream::Id id;
        UpstreamRequest request;
        std::shared_ptr<UpstreamListener> listener;
    };
    struct Cancel {
        Upstream::Id id;
    };
    struct SetPaused {
        Upstream::Id id;
        bool paused;
    };
    struct Timer {
        Time due;
        std::function<void()> task;
    };
    using Command = std::variant<Start, Cancel, SetPaused, Timer>;

    /// What libcurl wants to hear of a descriptor, and what epoll was told.
    struct Watch {
        std::uint32_t wanted = 0;
        std::uint32_t registered = 0;
        bool connection = false;  ///< made by openSocket, and so closed by closeSocket
    };

    struct CloseMulti {
        void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
    };

    class Descriptor {
    public:
        explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
        ~Descriptor() { ::close(descriptor_); }
        Descriptor(const Descriptor&) = delete;
        Descriptor& operator=(const Descriptor&) = delete;
        [[nodiscard]] int get() const noexcept { return descriptor_; }

    private:
        const int descriptor_;
    };

    using Transfers = std::unordered_map<Upstream::Id, std::unique_ptr<CurlTransfer>>;

    void lookBy(Time time) override;
    int openSocket(const curl_sockaddr& address) override;
    void closeSocket(int descriptor) override;

    static int onWatch(CURL*, curl_socket_t descriptor, int what, void* self, void*);
    static int onCurlTimer(CURLM*, long milliseconds, void* self);

    template <class F>
    void onLoop(F function);
    void post(Command command);
    void readable();
    void turn();
    void armTimer();
    void handle(int descriptor, std::uint32_t events);
    void watch(int descriptor, std::uint32_t wanted);
    void tellEpoll(int descriptor, Watch& watch, std::uint32_t events);

    [[nodiscard]] std::vector<Command> takeCommands();
    void runCommands();
    void execute(Start& command);
    void execute(const Cancel& command);
    void execute(const SetPaused& command);
    void execute(Timer& command);

    void runCurlTimers();
    void runTimers();
    void checkDeadlines();
    void collectFinished();
    void cancelAll();
    void finish(Transfers::iterator transfer, const Outcome& outcome);
    void tellDone(UpstreamListener& listener, const Outcome& outcome);
    [[nodiscard]] std::unique_ptr<CurlTransfer> freeTransfer();

    const std::shared_ptr<IoLoop> loop_;
    Logger& log_;
    const Descriptor epoll_;
    const Descriptor timer_;

    std::mutex mutex_;
    std::vector<Command> commands_;

    // The rest is for the loop's thread.
    bool attached_ = false;
    Time now_;
    Time armed_ = Time::max();  ///< when the timer will make itself heard
    Time curlDue_ = Time::max();
    Time deadlinesDue_ = Time::max();
    std::multimap<Time, std::function<void()>> timers_;
    std::vector<Watch> watches_;                ///< by descriptor
    std::unique_ptr<CURLM, CloseMulti> multi_;  ///< goes after its transfers, and its sockets with it
    Transfers transfers_;
    std::vector<std::unique_ptr<CurlTransfer>> spare_;
};

}  // namespace sallyport::plugins::llm
