// The gateway's HTTP client beside libcurl's, on one thread each and against the same server, in one run.
//
//   http_clients [ROUNDS [CALLS]]     default: 5 rounds of 20000 calls, 64 at a time
//
// The server is a process of its own that answers at once. The two clients take turns, and what is printed is
// the median of the rounds: calls a second, which the server has its part in, and the client's own time on
// the processor.

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include <sallyport/file_descriptor.h>
#include <sallyport/testing/recording_log.h>

#include "host/testing/io_thread.h"
#include "plugins/llm/upstream/http_upstream.h"

namespace {

using namespace sallyport;
using namespace sallyport::plugins::llm;
using Clock = std::chrono::steady_clock;

constexpr std::size_t atOnce = 64;

int checked(int result, const char* what) {
    if (result < 0) {
        throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
    }
    return result;
}

double threadSeconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Work {
    const char* name;
    std::string request;  ///< the body
    std::string answer;   ///< head and body
};

struct Spent {
    double seconds = 0;
    double processor = 0;
};

std::string wholeAnswer() {
    const std::string body =
        R"({"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",)"
        R"("content":"The quick brown fox."},"finish_reason":"stop"}],"usage":{"prompt_tokens":12}})";
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string streamedAnswer(int tokens) {
    std::string text =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string token = R"(data: {"choices":[{"index":0,"delta":{"content":" token"}}]})"
                              "\n\n";
    std::array<char, 20> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", token.size());
    for (int i = 0; i < tokens; ++i) {
        text.append(size.data()).append(token).append("\r\n");
    }
    return text + "0\r\n\r\n";
}

/// Answers each request at once. A request is known to be whole by its size.
class Server {
public:
    Server(int listener, const Work& work) : listener_(listener), work_(work) { watch(listener_); }

    [[noreturn]] void run() {
        std::array<epoll_event, 256> events{};
        for (;;) {
            const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
            for (int i = 0; i < count; ++i) {
                serve(events[static_cast<std::size_t>(i)].data.fd);
            }
        }
    }

private:
    void watch(int descriptor) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = descriptor;
        checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
    }

    void serve(int descriptor) {
        if (descriptor == listener_) {
            const int peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            const int on = 1;
            ::setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            watch(peer);
            return;
        }
        const auto size = ::recv(descriptor, buffer_.data(), buffer_.size(), 0);
        if (size <= 0) {
            inputs_.erase(descriptor);
            ::close(descriptor);
            return;
        }
        std::string& input = inputs_[descriptor];
        input.append(buffer_.data(), static_cast<std::size_t>(size));
        const auto head = input.find("\r\n\r\n");
        if (head == std::string::npos || input.size() < head + 4 + work_.request.size()) {
            return;
        }
        input.clear();
        for (std::string_view rest = work_.answer; !rest.empty();) {
            const auto sent = ::send(descriptor, rest.data(), rest.size(), MSG_NOSIGNAL);
            if (sent < 0) {
                return;
            }
            rest.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    const int listener_;
    const Work& work_;
    const FileDescriptor epoll_{checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
    std::unordered_map<int, std::string> inputs_;
    std::array<char, 256 * 1024> buffer_{};
};

/// A server in a process of its own, which ends with this.
class ServerProcess {
public:
    explicit ServerProcess(const Work& work)
        : listener_(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        checked(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size), "bind");
        checked(::listen(listener_.get(), static_cast<int>(atOnce)), "listen");
        checked(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
        url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/v1/chat/completions";
        child_ = checked(::fork(), "fork");
        if (child_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            Server(listener_.get(), work).run();
        }
    }
    ~ServerProcess() { ::kill(child_, SIGKILL); }
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;

    [[nodiscard]] const std::string& url() const noexcept { return url_; }

private:
    FileDescriptor listener_;
    std::string url_;
    pid_t child_ = -1;
};

// --- The gateway's client
// -----------------------------------------------------------------------------------

class Gateway {
public:
    Gateway(const std::string& url, const Work& work, int calls)
        : url_(url),
          body_(std::make_shared<const std::string>(work.request)),
          calls_(calls),
          client_(loops_, log_) {}

    Spent run() {
        const double before = processorTime();
        const auto begin = Clock::now();
        started_ = 0;
        open_ = atOnce;
        over_ = {};
        for (std::size_t i = 0; i < atOnce; ++i) {
            next();
        }
        over_.get_future().get();
        return {std::chrono::duration<double>(Clock::now() - begin).count(), processorTime() - before};
    }

private:
    class Call final : public UpstreamListener {
    public:
        explicit Call(Gateway& owner) : owner_(owner) {}
        void onHead(const UpstreamHead& head) override { status_ = head.status; }
        void onBody(std::string_view piece) override { size_ += piece.size(); }
        void onDone(UpstreamProblem problem, const std::string& detail) override {
            if (problem != UpstreamProblem::none || status_ != 200 || size_ == 0) {
                std::cerr << "a call failed: " << detail << '\n';
                std::_Exit(1);
            }
            owner_.next();
        }

    private:
        Gateway& owner_;
        int status_ = 0;
        std::size_t size_ = 0;
    };

    void next() {
        if (started_.fetch_add(1) >= calls_) {
            if (open_.fetch_sub(1) == 1) {
                over_.set_value();
            }
            return;
        }
        UpstreamRequest request;
        request.method = "POST";
        request.url = url_;
        request.headers = {"Content-Type: application/json", "Accept: application/json"};
        request.body = body_;
        request.endpoint.idle = std::chrono::seconds(30);
        request.endpoint.total = std::chrono::seconds(60);
        request.endpoint.maxResponse = std::size_t{64} << 20U;
        client_.start(std::move(request), std::make_shared<Call>(*this));
    }

    /// Of the loop's thread.
    double processorTime() {
        std::promise<double> time;
        loops_.front()->post([&] { time.set_value(threadSeconds()); });
        return time.get_future().get();
    }

    const std::string url_;
    const std::shared_ptr<const std::string> body_;
    const int calls_;
    std::atomic<int> started_{0};
    std::atomic<std::size_t> open_{0};
    std::promise<void> over_;
    testing::RecordingLog log_;
    std::vector<std::shared_ptr<IoLoop>> loops_ = testing::ioThreads(1, log_);
    HttpUpstream client_;
};

// --- libcurl
// ------------------------------------------------------------------------------------------------

/// Its multi interface on epoll, as its documentation has it for many transfers on one thread.
class Curl {
public:
    Curl(const std::string& url, const Work& work, int calls) : calls_(calls), multi_(curl_multi_init()) {
        curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Curl::onSocket);
        curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Curl::onTimer);
        curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
        headers_ = curl_slist_append(headers_, "Content-Type: application/json");
        headers_ = curl_slist_append(headers_, "Accept: application/json");
        headers_ = curl_slist_append(headers_, "Expect:");
        for (std::size_t i = 0; i < atOnce; ++i) {
            CURL* const easy = curl_easy_init();
            curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
            curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
            curl_easy_setopt(easy, CURLOPT_POSTFIELDS, work.request.c_str());
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(work.request.size()));
            curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
            curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 60'000L);
            curl_easy_setopt(easy, CURLOPT_PROXY, "");
            curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Curl::onBody);
            easy_.push_back(easy);
        }
    }
    ~Curl() {
        for (CURL* const easy : easy_) {
            curl_easy_cleanup(easy);
        }
        curl_multi_cleanup(multi_);
        curl_slist_free_all(headers_);
    }
    Curl(const Curl&) = delete;
    Curl& operator=(const Curl&) = delete;

    Spent run() {
        const double before = threadSeconds();
        const auto begin = Clock::now();
        started_ = 0;
        open_ = 0;
        for (CURL* const easy : easy_) {
            start(easy);
        }
        std::array<epoll_event, 256> events{};
        int running = 0;
        while (open_ > 0) {
            const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout_);
            if (count == 0) {
                curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
            }
            for (int i = 0; i < count; ++i) {
                const epoll_event& event = events[static_cast<std::size_t>(i)];
                const int what = ((event.events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                                 ((event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0);
                curl_multi_socket_action(multi_, event.data.fd, what, &running);
            }
            finish();
        }
        return {std::chrono::duration<double>(Clock::now() - begin).count(), threadSeconds() - before};
    }

private:
    static std::size_t onBody(const char*, std::size_t size, std::size_t count, void*) {
        return size * count;
    }

    static int onSocket(CURL*, curl_socket_t socket, int what, void* self, void* known) {
        auto& curl = *static_cast<Curl*>(self);
        epoll_event event{};
        event.data.fd = socket;
        event.events =
            ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U);
        if (what == CURL_POLL_REMOVE) {
            ::epoll_ctl(curl.epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);
        } else if (known != nullptr) {
            ::epoll_ctl(curl.epoll_.get(), EPOLL_CTL_MOD, socket, &event);
        } else {
            ::epoll_ctl(curl.epoll_.get(), EPOLL_CTL_ADD, socket, &event);
            curl_multi_assign(curl.multi_, socket, self);
        }
        return 0;
    }

    static int onTimer(CURLM*, long milliseconds, void* self) {
        static_cast<Curl*>(self)->timeout_ = static_cast<int>(milliseconds);
        return 0;
    }

    void start(CURL* easy) {
        if (started_ < calls_) {
            ++started_;
            ++open_;
            curl_multi_add_handle(multi_, easy);
        }
    }

    void finish() {
        int left = 0;
        while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
            CURL* const easy = message->easy_handle;
            long status = 0;
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            if (message->data.result != CURLE_OK || status != 200) {
                throw std::runtime_error(curl_easy_strerror(message->data.result));
            }
            curl_multi_remove_handle(multi_, easy);
            --open_;
            start(easy);
        }
    }

    const int calls_;
    CURLM* const multi_;
    const FileDescriptor epoll_{checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
    curl_slist* headers_ = nullptr;
    std::vector<CURL*> easy_;
    int timeout_ = -1;
    int started_ = 0;
    int open_ = 0;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void compare(const Work& work, int rounds, int calls) {
    const ServerProcess server(work);
    Gateway gateway(server.url(), work, calls);
    Curl curl(server.url(), work, calls);
    std::vector<double> rates[2];
    std::vector<double> costs[2];
    const auto note = [&](std::size_t whose, const Spent& spent) {
        rates[whose].push_back(calls / spent.seconds);
        costs[whose].push_back(1e6 * spent.processor / calls);
    };
    // Not counted: connections are made.
    static_cast<void>(gateway.run());
    static_cast<void>(curl.run());
    for (int round = 0; round < rounds; ++round) {
        note(0, gateway.run());
        note(1, curl.run());
    }
    std::printf("%-28s %10.0f %10.0f %7.2f %10.2f %10.2f %7.2f\n", work.name, median(rates[0]),
                median(rates[1]), median(rates[0]) / median(rates[1]), median(costs[0]), median(costs[1]),
                median(costs[1]) / median(costs[0]));
}

}  // namespace

int main(int argc, char** argv) {
    try {
        ::signal(SIGPIPE, SIG_IGN);
        ::unsetenv("http_proxy");
        const int rounds = argc > 1 ? std::stoi(argv[1]) : 5;
        const int calls = argc > 2 ? std::stoi(argv[2]) : 20'000;
        curl_global_init(CURL_GLOBAL_ALL);
        std::printf("%-28s %10s %10s %7s %10s %10s %7s\n", "", "own", "libcurl", "", "own", "libcurl", "");
        std::printf("%-28s %10s %10s %7s %10s %10s %7s\n", "", "calls/s", "calls/s", "ratio", "us a call",
                    "us a call", "ratio");
        compare({"small calls", std::string(120, 'x'), wholeAnswer()}, rounds, calls);
        compare({"streams of 200 tokens", std::string(120, 'x'), streamedAnswer(200)}, rounds, calls / 4);
        compare({"200 kB conversations", std::string(200'000, 'x'), wholeAnswer()}, rounds, calls / 4);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << argv[0] << ": " << error.what() << '\n';
        return 1;
    }
}
