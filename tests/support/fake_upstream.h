// A model provider's server that does what a test tells it to, good or bad.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <openssl/ssl.h>

#include <sallyport/file_descriptor.h>

#include "tests/support/tls_identity.h"

namespace sallyport::tests {

/// Lets scripts go on, each grant one step. [any thread]
class Permits {
public:
    Permits();

    void grant(unsigned steps = 1);
    /// Readable while there is one to take.
    [[nodiscard]] int descriptor() const { return count_.get(); }
    /// Takes one that is there.
    void take();

private:
    FileDescriptor count_;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

/// A request as it arrived.
struct SeenRequest {
    std::string method;
    std::string target;
    Headers headers;  ///< names in lower case
    std::string body;
    std::size_t connection = 0;  ///< on which it came, counted from 0
    std::string serverName;      ///< that the client's TLS greeting was for; empty if it named none

    /// The first of that name in lower case; empty if there is none.
    [[nodiscard]] std::string header(std::string_view name) const;
    [[nodiscard]] std::size_t count(std::string_view name) const;
};

class FakeUpstream;

/// One request and the connection to answer it on, as a script has them. Every function leaves the script
/// by an exception of the server's own when the client has gone.
class UpstreamExchange {
public:
    UpstreamExchange(FakeUpstream& server, SeenRequest request, int socket, SSL* tls);

    [[nodiscard]] const SeenRequest& request() const noexcept { return request_; }

    /// Bytes as they are.
    void send(std::string_view bytes);
    /// Pieces that arrive at once, with TLS each as a record of its own.
    void sendTogether(const std::vector<std::string>& pieces);
    /// A head with these headers and no others.
    void head(int status, const Headers& headers);
    /// A whole answer with its length; JSON unless the headers say otherwise.
    void answer(int status, std::string_view body, const Headers& headers = {});
    void chunk(std::string_view data);
    void endChunks();

    /// Waits until the test allows the next step.
    void await(Permits& permits);
    /// Waits until the client closes the connection; this is the script's end.
    [[noreturn]] void awaitClosed();
    void wait(std::chrono::milliseconds time);

    /// After the script, without a further request.
    void close() { closing_ = true; }
    /// The same with a reset, as a crashing server would.
    void reset();

    [[nodiscard]] bool closing() const noexcept { return closing_; }

private:
    FakeUpstream& server_;
    SeenRequest request_;
    int socket_;
    SSL* tls_;
    bool closing_ = false;
};

/// HTTP/1.1, with TLS if it is given an identity, on a free port of the loopback interface and with a
/// thread for each connection. Requests are answered by the scripts for `next`, then by those for their
/// path, then with 404. [any thread]
class FakeUpstream {
public:
    using Script = std::function<void(UpstreamExchange&)>;

    explicit FakeUpstream(std::optional<TlsIdentity> identity = std::nullopt);
    ~FakeUpstream();
    FakeUpstream(const FakeUpstream&) = delete;
    FakeUpstream& operator=(const FakeUpstream&) = delete;

    /// `http://127.0.0.1:PORT` or https, and the path.
    [[nodiscard]] std::string url(std::string_view path = "") const;
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

    /// For one request, whatever its path; in the order in which they are given.
    void next(Script script);
    /// For every request with that path, whatever its query. Replaces the one before.
    void on(std::string path, Script script);

    /// Takes so many bytes at a time of the connections to come, and rests after each.
    void readSlowly(std::size_t step, std::chrono::milliseconds rest);

    [[nodiscard]] std::vector<SeenRequest> requests() const;
    /// Waits for the request of that number, counted from 0. @throws TimedOut
    SeenRequest awaitRequest(std::size_t number);

    /// How many connections there have been.
    [[nodiscard]] std::size_t connections() const;
    /// Waits until the client has closed the connection of that number, counted from 0. @throws TimedOut
    void awaitClosed(std::size_t connection);
    /// Waits until no more than so many connections are open. @throws TimedOut
    void awaitOpen(std::size_t most);

private:
    friend class UpstreamExchange;

    struct Pace {
        std::size_t step = std::size_t{64} * 1024;
        std::chrono::milliseconds rest{0};
    };

    struct Connection {
        FileDescriptor socket;
        bool closedByClient = false;
        std::thread thread;
    };
    struct FreeTls {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
        void operator()(SSL* session) const { SSL_free(session); }
    };

    class Reader;

    void accept();
    void serve(Connection& connection, std::size_t number);
    void serveRequests(std::size_t number, int socket, SSL* tls);
    [[nodiscard]] Pace pace() const;
    [[nodiscard]] Script scriptFor(const SeenRequest& request);
    template <class Condition>
    void awaitThat(Condition condition, const char* what);

    std::unique_ptr<SSL_CTX, FreeTls> tls_;
    FileDescriptor listener_;
    FileDescriptor stop_;  ///< readable once all is to end
    std::uint16_t port_ = 0;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    Pace pace_;
    std::deque<Script> next_;
    std::map<std::string, Script, std::less<>> scripts_;
    std::vector<SeenRequest> requests_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::thread acceptor_;
};

/// What servers do.
namespace scripts {

using Script = FakeUpstream::Script;
using Pieces = std::vector<std::string>;

[[nodiscard]] Script answer(int status, std::string body, Headers headers = {});
[[nodiscard]] Script html(int status);
/// Says that the connection stays open, and closes it.
[[nodiscard]] Script answerAndClose(int status, std::string body);
/// Closes without an answer.
[[nodiscard]] Script hangUp();
[[nodiscard]] Script reset();
[[nodiscard]] Script resetAfterHead();
[[nodiscard]] Script silence();
[[nodiscard]] Script silenceAfterHead();
/// Promises the whole of it and closes in the middle.
[[nodiscard]] Script half(std::string body);
/// Goes on for ever, a byte at a time.
[[nodiscard]] Script drip(std::chrono::milliseconds interval);
[[nodiscard]] Script notHttp();

[[nodiscard]] Script chunked(Pieces pieces, Headers headers = {});
/// Proper chunks with all that seldom comes: extensions, leading zeros, trailers, 1xx heads before.
[[nodiscard]] Script chunkedOddly(Pieces pieces);
[[nodiscard]] Script chunkedWithBadSize();
[[nodiscard]] Script chunkedCutShort(Pieces pieces);
[[nodiscard]] Script gzip(std::string_view body);
/// The same, with a promise of more that does not come.
[[nodiscard]] Script gzipWithoutEnd(std::string_view body);
/// Says gzip and sends something else.
[[nodiscard]] Script brokenGzip();
/// A body of so many bytes, which are not held in memory.
[[nodiscard]] Script huge(std::size_t bytes);

/// Server-Sent Events: the head at once, each piece when the test allows it, and the end when it allows that.
[[nodiscard]] Script stream(Pieces pieces, std::shared_ptr<Permits> permits);
/// The pieces, and then the connection closed instead of the end.
[[nodiscard]] Script brokenStream(Pieces pieces);

}  // namespace scripts

/// A port at which connections are refused, and at which nobody else can listen meanwhile.
class RefusingPort {
public:
    RefusingPort();
    [[nodiscard]] std::string url(std::string_view scheme = "http") const;

private:
    FileDescriptor socket_;
};

/// A port at which connections come about, since the kernel sees to that, but nobody reads from them.
class DeafPort {
public:
    DeafPort();
    [[nodiscard]] std::string url(std::string_view scheme = "http") const;
    /// The next connection, for a test that has something to say on it. @throws TimedOut
    [[nodiscard]] FileDescriptor accept() const;

private:
    FileDescriptor socket_;
};

/// A port at which no connection comes about: its queue is full.
class UnreachablePort {
public:
    UnreachablePort();
    [[nodiscard]] std::string url(std::string_view scheme = "http") const;

private:
    FileDescriptor socket_;
    std::vector<FileDescriptor> queued_;
};

}  // namespace sallyport::tests
