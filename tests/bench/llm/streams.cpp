// Many streams at once through a gateway: an upstream that writes a token to each every so often, and the
// clients that read them.
//
//   streams upstream PORT TOKENS INTERVAL_MS
//   streams clients PORT PATH STREAMS TOKENS
//
// The upstream answers each POST with TOKENS events of Chat Completions, and goes on until it is killed. The
// clients open their streams, read them to the end and print what they saw: how many were whole, and the
// longest gap between two pieces of one stream.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

namespace {

using Clock = std::chrono::steady_clock;

int checked(int result, const char* what) {
    if (result < 0) {
        throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
    }
    return result;
}

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void watch(int epoll, int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    checked(::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
}

void writeAll(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const auto sent = ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            return;  // it has gone, or does not read: the clients will tell
        }
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::string chunk(std::string_view data) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", data.size());
    return size + std::string(data) + "\r\n";
}

/// One thread: a token to every stream each time the interval has passed.
class Upstream {
public:
    Upstream(int port, int tokens, std::chrono::milliseconds interval)
        : tokens_(tokens), interval_(interval) {
        listener_ = checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
        const int one = 1;
        ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        const sockaddr_in address = loopback(port);
        checked(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
        checked(::listen(listener_, 4096), "listen");
        watch(epoll_, listener_);
    }

    [[noreturn]] void run() {
        auto next = Clock::now() + interval_;
        std::vector<epoll_event> events(256);
        for (;;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
            const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                           static_cast<int>(std::max<std::int64_t>(0, left.count())));
            for (int i = 0; i < count; ++i) {
                serve(events[static_cast<std::size_t>(i)].data.fd);
            }
            if (Clock::now() >= next) {
                next += interval_;
                tick();
            }
        }
    }

private:
    void serve(int descriptor) {
        if (descriptor == listener_) {
            for (int one = 1, accepted = 0;
                 (accepted = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
                ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                watch(epoll_, accepted);
            }
            return;
        }
        char buffer[16 * 1024];
        const auto received = ::recv(descriptor, buffer, sizeof buffer, 0);
        if (received <= 0) {
            sent_.erase(descriptor);
            ::close(descriptor);
            return;
        }
        // A request of the bench arrives in one or two pieces; the first one opens the stream.
        if (sent_.emplace(descriptor, 0).second) {
            writeAll(descriptor,
                     "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n");
        }
    }

    void tick() {
        static const std::string token = chunk(
            R"(data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":)"
            R"({"content":" token"},"finish_reason":null}]})"
            "\n\n");
        static const std::string end =
            chunk(
                R"(data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":)"
                R"({},"finish_reason":"stop"}]})"
                "\n\ndata: [DONE]\n\n") +
            "0\r\n\r\n";
        for (auto stream = sent_.begin(); stream != sent_.end();) {
            writeAll(stream->first, stream->second < tokens_ ? token : end);
            stream = ++stream->second > tokens_ ? sent_.erase(stream) : std::next(stream);
        }
    }

    const int epoll_ = checked(::epoll_create1(0), "epoll_create1");
    int listener_ = -1;
    const int tokens_;
    const std::chrono::milliseconds interval_;
    std::unordered_map<int, int> sent_;  ///< tokens so far, by stream
};

struct Client {
    std::string text;  ///< the end of what was read
    int tokens = 0;
    bool done = false;
    Clock::time_point last{};
    Clock::duration longestGap{};
};

/// Counts the events in what has arrived, and keeps what may be the beginning of one.
void take(Client& client, std::string_view piece) {
    client.text.append(piece);
    constexpr std::string_view mark = R"("content":" token")";
    std::size_t from = 0;
    for (std::size_t at = 0; (at = client.text.find(mark, from)) != std::string::npos;
         from = at + mark.size()) {
        const auto now = Clock::now();
        if (client.tokens++ > 0) {
            client.longestGap = std::max(client.longestGap, now - client.last);
        }
        client.last = now;
    }
    client.done = client.done || client.text.find("data: [DONE]", from) != std::string::npos;
    const std::size_t kept = std::min<std::size_t>(client.text.size() - from, 64);
    client.text.erase(0, client.text.size() - kept);
}

int runClients(int port, const std::string& path, int streams, int tokens) {
    const char* const secret = std::getenv("SALLYPORT_TOKEN");
    const std::string body = R"({"model":"s","stream":true,"messages":[{"role":"user","content":"go"}]})";
    const std::string request =
        "POST " + path +
        " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAuthorization: Bearer " +
        (secret == nullptr ? "" : secret) + "\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    const int epoll = checked(::epoll_create1(0), "epoll_create1");
    std::unordered_map<int, Client> clients;
    const sockaddr_in address = loopback(port);
    for (int i = 0; i < streams; ++i) {
        const int descriptor = checked(::socket(AF_INET, SOCK_STREAM, 0), "socket");
        checked(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address),
                "connect");
        writeAll(descriptor, request);
        watch(epoll, descriptor);
        clients.emplace(descriptor, Client{});
    }
    int open = streams;
    std::vector<epoll_event> events(256);
    std::vector<char> buffer(64 * std::size_t{1024});
    while (open > 0) {
        const int count =
            checked(::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 60'000), "wait");
        if (count == 0) {
            break;  // stalled
        }
        for (int i = 0; i < count; ++i) {
            const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
            Client& client = clients[descriptor];
            const auto received = ::recv(descriptor, buffer.data(), buffer.size(), 0);
            if (received > 0) {
                take(client, {buffer.data(), static_cast<std::size_t>(received)});
            }
            if (received <= 0 || client.done) {
                ::close(descriptor);
                --open;
            }
        }
    }
    int whole = 0;
    std::vector<double> gaps;
    for (const auto& [descriptor, client] : clients) {
        whole += client.done && client.tokens == tokens ? 1 : 0;
        gaps.push_back(std::chrono::duration<double, std::milli>(client.longestGap).count());
    }
    std::sort(gaps.begin(), gaps.end());
    std::printf("whole %d of %d, longest gap ms: median %.0f, worst %.0f\n", whole, streams,
                gaps[gaps.size() / 2], gaps.back());
    return whole == streams ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const std::vector<std::string> arguments(argv + 1, argv + argc);
        if (arguments.size() == 4 && arguments[0] == "upstream") {
            Upstream(std::stoi(arguments[1]), std::stoi(arguments[2]),
                     std::chrono::milliseconds(std::stoi(arguments[3])))
                .run();
        }
        if (arguments.size() == 5 && arguments[0] == "clients") {
            return runClients(std::stoi(arguments[1]), arguments[2], std::stoi(arguments[3]),
                              std::stoi(arguments[4]));
        }
        std::cerr << "usage: " << argv[0] << " upstream PORT TOKENS INTERVAL_MS\n       " << argv[0]
                  << " clients PORT PATH STREAMS TOKENS\n";
        return 2;
    } catch (const std::exception& error) {
        std::cerr << argv[0] << ": " << error.what() << '\n';
        return 1;
    }
}
