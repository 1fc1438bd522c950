// A proxy for workers that goes to ports of the loopback interface, whatever name is asked for, and a
// protocol of its own, `echo`, for those who change to it. Some names stand for something else: see `answer`.
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sallyport/errors.h>
#include <sallyport/ext/io.h>
#include <sallyport/ext/tunnels.h>
#include <sallyport/file_descriptor.h>
#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

/// What happened, for tests to ask.
class Record {
public:
    void count(const std::string& what, std::int64_t amount = 1) {
        const std::lock_guard lock(mutex_);
        counts_[what] += amount;
    }
    [[nodiscard]] std::string text() const {
        const std::lock_guard lock(mutex_);
        std::string text;
        for (const auto& [what, count] : counts_) {
            text += what + "=" + std::to_string(count) + " ";
        }
        return text;
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::int64_t> counts_;
};

/// Counts how tunnels end.
class Recorded : public Tunnel {
public:
    explicit Recorded(Record& record) : record_(record) { record_.count("open", 1); }
    ~Recorded() override { record_.count("open", -1); }

    void onOpened(std::shared_ptr<TunnelPeer> peer) override { peer_ = std::move(peer); }
    void onData(std::string_view /*bytes*/) override {}
    void onPeerFinished() override {}
    void onClosed(TunnelEnd end) override {
        peer_ = nullptr;
        record_.count(name(end));
    }

protected:
    [[nodiscard]] TunnelPeer& peer() const { return *peer_; }
    [[nodiscard]] bool isOpen() const { return peer_ != nullptr; }
    [[nodiscard]] Record& record() const { return record_; }

private:
    Record& record_;
    std::shared_ptr<TunnelPeer> peer_;
};

/// Sends back what comes, and says good-bye.
class Echo final : public Recorded {
public:
    using Recorded::Recorded;

    void onData(std::string_view bytes) override {
        if (!peer().send(bytes)) {
            peer().pauseReading();
        }
    }
    void onWritable() override { peer().resumeReading(); }
    void onPeerFinished() override { peer().finish(); }
    void onDrain() override { peer().send("good-bye"); }
};

/// Sends what nobody has asked for, as long as there is room, and then says that this was all.
class Flood final : public Recorded {
public:
    Flood(Record& record, std::size_t bytes) : Recorded(record), left_(bytes) {}

    void onOpened(std::shared_ptr<TunnelPeer> peer) override {
        Recorded::onOpened(std::move(peer));
        onWritable();
    }
    void onWritable() override {
        const std::string piece(std::size_t{16} * 1024, 'f');
        while (left_ > 0) {
            const auto size = std::min(left_, piece.size());
            left_ -= size;
            record().count("flooded", static_cast<std::int64_t>(size));
            if (!peer().send(std::string_view(piece).substr(0, size))) {
                record().count("full", std::exchange(full_, true) ? 0 : 1);
                return;
            }
        }
        peer().finish();
    }

private:
    std::size_t left_;
    bool full_ = false;
};

/// Does what it should not when something comes.
class Wrong final : public Recorded {
public:
    using Recorded::Recorded;

    void onData(std::string_view bytes) override {
        if (bytes == "throw") {
            throw std::runtime_error("a tunnel that fails");
        }
        const std::string piece(std::size_t{64} * 1024, 'x');
        while (bytes == "overrun" && peer().room() + piece.size() > 0 && sent_ < limit) {
            peer().send(piece);
            sent_ += piece.size();
        }
    }

private:
    static constexpr std::size_t limit = std::size_t{64} * 1024 * 1024;
    std::size_t sent_ = 0;
};

/// Sends a whole response that says what the request was.
class Show final : public Recorded {
public:
    Show(Record& record, std::string text) : Recorded(record), text_(std::move(text)) {}

    void onData(std::string_view bytes) override { text_ += bytes; }
    void onPeerFinished() override {
        peer().send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " +
                    std::to_string(text_.size()) + "\r\n\r\n" + text_);
        peer().finish();
    }

private:
    std::string text_;
};

/// Connects, answers that, and relays in both directions without keeping more than one piece.
class Relay final : public Recorded, public std::enable_shared_from_this<Relay> {
public:
    /// @param head goes first. @param chunked whether what comes from the client is to be framed.
    Relay(Record& record, std::shared_ptr<IoLoop> loop, std::string head, bool chunked)
        : Recorded(record), loop_(std::move(loop)), pending_(std::move(head)), chunked_(chunked) {}
    ~Relay() override {
        if (watched_) {
            loop_->unwatch(epoll_.get());
        }
    }

    void dial(std::uint16_t port, Promise promise) {
        self_ = shared_from_this();
        promise_.emplace(std::move(promise));
        promise_->onAbandoned([this] {
            record().count("abandoned");
            const auto self = std::exchange(self_, nullptr);
        });
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        static_cast<void>(
            ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
        epoll_event event{};
        event.events = EPOLLOUT;
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket_.get(), &event);
        loop_->watch(epoll_.get(), [this] { onSocket(); });
        watched_ = true;
    }

    void onOpened(std::shared_ptr<TunnelPeer> peer) override {
        Recorded::onOpened(std::move(peer));
        relay();
    }
    void onData(std::string_view bytes) override {
        if (chunked_) {
            std::array<char, 24> size{};
            std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
            pending_.append(size.data()).append(bytes).append("\r\n");
        } else {
            pending_ += bytes;
        }
        relay();
    }
    void onPeerFinished() override {
        clientFinished_ = true;
        pending_ += chunked_ ? "0\r\n\r\n" : "";
        relay();
    }
    void onWritable() override { relay(); }

private:
    void onSocket() {
        const auto self = shared_from_this();
        if (isOpen()) {
            relay();
        } else if (promise_) {
            connected();
        }
    }
    void connected() {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        const auto promise = std::exchange(promise_, std::nullopt);
        const auto self = std::exchange(self_, nullptr);
        want(0);
        promise->fulfil(error == 0 ? Reply::tunnel(self)
                                   : Reply::error(RequestError(502, "unreachable", "nobody answers there")));
    }
    void relay() {
        toServer();
        toClient();
        if (isOpen()) {
            want((pending_.empty() ? 0U : static_cast<unsigned>(EPOLLOUT)) |
                 (serverFinished_ || peer().room() == 0 ? 0U : static_cast<unsigned>(EPOLLIN)));
        }
    }
    void toServer() {
        while (!pending_.empty()) {
            const ssize_t sent = ::send(socket_.get(), pending_.data(), pending_.size(), MSG_NOSIGNAL);
            if (sent < 0) {
                if (errno != EAGAIN) {
                    peer().abort();
                }
                break;
            }
            pending_.erase(0, static_cast<std::size_t>(sent));
        }
        if (!pending_.empty()) {
            record().count("paused", std::exchange(paused_, true) ? 0 : 1);
            peer().pauseReading();
            return;
        }
        peer().resumeReading();
        if (clientFinished_ && !std::exchange(shut_, true) && !chunked_) {
            ::shutdown(socket_.get(), SHUT_WR);
        }
    }
    void toClient() {
        std::array<char, 16384> piece{};
        while (!serverFinished_ && peer().room() > 0) {
            const ssize_t size =
                ::recv(socket_.get(), piece.data(), std::min(piece.size(), peer().room()), 0);
            if (size > 0) {
                peer().send({piece.data(), static_cast<std::size_t>(size)});
            } else if (size == 0) {
                serverFinished_ = true;
                peer().finish();
            } else if (errno == EAGAIN) {
                break;
            } else {
                serverFinished_ = true;
                peer().abort();
            }
        }
    }
    void want(std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket_.get(), &event);
    }

    const std::shared_ptr<IoLoop> loop_;
    const FileDescriptor socket_{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const FileDescriptor epoll_{::epoll_create1(EPOLL_CLOEXEC)};
    bool watched_ = false;
    std::shared_ptr<Relay> self_;  ///< while it connects
    std::optional<Promise> promise_;
    std::string pending_;  ///< for the server
    const bool chunked_;
    bool paused_ = false;  ///< at least once
    bool clientFinished_ = false;
    bool serverFinished_ = false;
    bool shut_ = false;
};

class Proxy final : public Plugin {
public:
    void start(Host& host) override {
        loops_ = host.require<IoLoops>().loops();
        auto& tunnels = host.require<Tunnels>();
        const auto answers = [this](const Call& call, const ProxyTarget& target) {
            return answer(call, target);
        };
        tunnels.connect(answers, Run::loop);
        tunnels.forward(answers, Run::loop);
        const auto echoes = [this](const Call&) {
            return Reply::upgrade("echo", std::make_shared<Echo>(record_)).header("X-Echo", "yes");
        };
        host.routes().worker("GET", "/echo", echoes);
        host.routes().operators("GET", "/echo", echoes, {.run = Run::loop});
        host.routes().operators("GET", "/wrong_tunnel", [this](const Call&) {
            return Reply::tunnel(std::make_shared<Echo>(record_));
        });
        host.routes().operators(
            "GET", "/relay", [this](const Call&) { return Reply::text(200, "text/plain", record_.text()); });
    }

private:
    Reply answer(const Call& call, const ProxyTarget& target) {
        record_.count("asked");
        if (target.host == "refused.test") {
            throw forbidden("nobody goes there");
        }
        if (target.host == "never.test") {
            return Reply::deferred([this](const Promise& promise) {
                promise.onAbandoned([this, promise] { record_.count("abandoned"); });
            });
        }
        if (target.host == "echo.test") {
            return Reply::tunnel(std::make_shared<Echo>(record_)).header("X-Echo", "yes");
        }
        if (target.host == "flood.test") {
            return Reply::tunnel(std::make_shared<Flood>(record_, std::size_t{target.port} * 1024 * 1024));
        }
        if (target.host == "wrong.test") {
            return Reply::tunnel(std::make_shared<Wrong>(record_));
        }
        if (target.host == "wrong-kind.test") {
            return Reply::upgrade("echo", std::make_shared<Echo>(record_));
        }
        if (target.host == "show.test") {
            return Reply::tunnel(std::make_shared<Show>(record_, described(call, target)));
        }
        const auto relay =
            std::make_shared<Relay>(record_, here(), call.method() == "CONNECT" ? "" : head(call, target),
                                    call.method() != "CONNECT" && !target.length);
        return Reply::deferred(
            [relay, port = target.port](Promise promise) { relay->dial(port, std::move(promise)); });
    }

    [[nodiscard]] std::shared_ptr<IoLoop> here() const {
        return *std::find_if(loops_.begin(), loops_.end(),
                             [](const auto& loop) { return loop->isCurrent(); });
    }

    static std::string pathOf(const Call& call) {
        return call.path() + (call.rawQuery().empty() ? "" : "?" + call.rawQuery());
    }

    static std::string head(const Call& call, const ProxyTarget& target) {
        std::string text = call.method() + " " + pathOf(call) + " HTTP/1.1\r\nConnection: close\r\n";
        for (const auto& [name, value] : fieldsOf(call)) {
            text.append(name).append(": ").append(value).append("\r\n");
        }
        if (!target.length) {
            text += "Transfer-Encoding: chunked\r\n";
        } else if (*target.length > 0) {
            text += "Content-Length: " + std::to_string(*target.length) + "\r\n";
        }
        return text + "\r\n";
    }

    /// All that a test could ask for.
    static Call::Pairs fieldsOf(const Call& call) {
        Call::Pairs fields;
        for (const char* name :
             {"host", "user-agent", "accept", "authorization", "cookie", "x-api-key", "content-type",
              "x-kept", "x-dropped", "connection", "proxy-connection", "proxy-authorization", "keep-alive",
              "te", "upgrade", "content-length", "transfer-encoding", "expect"}) {
            if (const auto value = call.header(name)) {
                fields.emplace_back(name, *value);
            }
        }
        return fields;
    }

    static std::string described(const Call& call, const ProxyTarget& target) {
        std::string text = call.method() + " " + pathOf(call) + " at " + target.authority() + " length " +
                           (target.length ? std::to_string(*target.length) : "unknown") + " job " +
                           call.caller().job().str() + "\n";
        for (const auto& [name, value] : fieldsOf(call)) {
            text += name + "=" + value + "\n";
        }
        return text + "content:";
    }

    std::vector<std::shared_ptr<IoLoop>> loops_;
    Record record_;
};

}  // namespace

SALLYPORT_PLUGIN(Proxy, "relay", VERSION, "A proxy to the loopback interface")
