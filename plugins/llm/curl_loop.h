// A thread that makes calls with libcurl.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include <unistd.h>

#include <curl/curl.h>

#include <sallyport/log.h>

#include "curl_transfer.h"
#include "upstream.h"

namespace sallyport::plugins::llm {

/// One of libcurl's multi handles, its sockets in an epoll of its own, and the thread that turns it. Calls
/// and timers come in as commands; connections are kept for the calls to come.
class CurlLoop final : private TransferOwner {
public:
    explicit CurlLoop(Logger& log);
    ~CurlLoop() override;
    CurlLoop(const CurlLoop&) = delete;
    CurlLoop& operator=(const CurlLoop&) = delete;

    // [any thread]
    void start(Upstream::Id id, UpstreamRequest request, std::shared_ptr<UpstreamListener> listener);
    void cancel(Upstream::Id id);
    void setPaused(Upstream::Id id, bool paused);
    void after(std::chrono::milliseconds delay, std::function<void()> task);

    [[nodiscard]] bool onOwnThread() const;

    /// Ends all calls with `cancelled` and waits for the thread. Calls begun meanwhile end so as well.
    void stop();

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
    struct Stop {};
    using Command = std::variant<Start, Cancel, SetPaused, Timer, Stop>;

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

    void post(Command command);
    void run();
    void turn();
    [[nodiscard]] int timeout();
    void handle(int descriptor, std::uint32_t events);
    void watch(int descriptor, std::uint32_t wanted);
    void tellEpoll(int descriptor, Watch& watch, std::uint32_t events);

    [[nodiscard]] std::vector<Command> takeCommands();
    void runCommands();
    void execute(Start& command);
    void execute(const Cancel& command);
    void execute(const SetPaused& command);
    void execute(Timer& command);
    void execute(const Stop& command);

    void runCurlTimer();
    void runTimers();
    void checkDeadlines();
    void collectFinished();
    void cancelAll();
    void finish(Transfers::iterator transfer, const Outcome& outcome);
    void tellDone(UpstreamListener& listener, const Outcome& outcome);
    [[nodiscard]] std::unique_ptr<CurlTransfer> freeTransfer();

    Logger& log_;
    const Descriptor epoll_;
    const Descriptor wakeup_;

    std::mutex mutex_;
    std::vector<Command> commands_;

    // The rest is the thread's own.
    bool stopping_ = false;
    Time now_;
    Time curlDue_ = Time::max();
    Time deadlinesDue_ = Time::max();
    std::multimap<Time, std::function<void()>> timers_;
    std::vector<Watch> watches_;                ///< by descriptor
    std::unique_ptr<CURLM, CloseMulti> multi_;  ///< goes after its transfers, and its sockets with it
    Transfers transfers_;
    std::vector<std::unique_ptr<CurlTransfer>> spare_;

    std::thread thread_;
};

}  // namespace sallyport::plugins::llm
