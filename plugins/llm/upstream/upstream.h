// Calls to the providers' servers.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/secret_text.h>

namespace sallyport::plugins::llm {

/// How a server is reached and how long it may take. A limit of zero is none.
struct Endpoint {
    std::string caFile;                     ///< PEM; the only authorities trusted. Empty: the system's
    std::string proxy;                      ///< see Proxy. Empty: what EnvironmentProxies say
    std::chrono::milliseconds connect{};    ///< for finding, reaching and greeting the server (DNS, TCP, TLS)
    std::chrono::milliseconds firstByte{};  ///< from then, or from the last progress in sending, to the head
    std::chrono::milliseconds idle{};       ///< between two pieces of the body
    std::chrono::milliseconds total{};      ///< for all of it
    std::size_t maxResponse = 0;            ///< bytes of the body, decoded
};

struct UpstreamRequest {
    std::string method;
    std::string url;                              ///< http or https
    std::vector<std::string> headers;             ///< `Name: value`
    std::shared_ptr<const SecretText> keyHeader;  ///< one more such line; may be null
    std::shared_ptr<const std::string> body;      ///< may be null
    Endpoint endpoint;
};

struct UpstreamHead {
    int status = 0;
    /// In order, names in lower case. Where the body came compressed, without `content-encoding` and
    /// `content-length`: they speak of bytes that nobody sees.
    std::vector<std::pair<std::string, std::string>> headers;
};

/// RFC 9110 section 15.3.
[[nodiscard]] constexpr bool isSuccess(int status) {
    return status >= 200 && status < 300;
}

/// Why a call ended without a whole answer.
enum class UpstreamProblem {
    none,
    resolve,  ///< the name of the server or the proxy has no address
    connect,  ///< refused or unreachable, or the proxy would not connect
    tls,      ///< no handshake, or a certificate that is not to be trusted
    connectTimeout,
    firstByteTimeout,
    idleTimeout,
    totalTimeout,
    broken,     ///< reset, cut short or malformed
    tooLarge,   ///< more than Endpoint::maxResponse
    cancelled,  ///< by cancel(), by the client's end, or because the listener threw
};

/// One word for logs and records.
[[nodiscard]] const char* name(UpstreamProblem problem);

/// Follows one call. Its functions are called on one thread, an event loop's, none after onDone, and must not
/// block that thread: other calls are waiting for it.
class UpstreamListener {
public:
    virtual ~UpstreamListener() = default;

    /// The final head of the answer, at most once.
    virtual void onHead(const UpstreamHead& head) = 0;
    /// A piece of the body, without its chunking and compression.
    virtual void onBody(std::string_view piece) = 0;
    /// The last call, made exactly once. @param detail for the log only.
    virtual void onDone(UpstreamProblem problem, const std::string& detail) = 0;
};

/// Makes calls. [any thread, the listeners' functions included]
class Upstream {
public:
    using Id = std::uint64_t;

    virtual ~Upstream() = default;

    /// Begins a call and returns. The listener may hear of it before the caller has seen the number.
    /// @throws std::invalid_argument for a request that cannot be sent as it is: a method, address or header
    ///         that would not be one line, or a header that is this client's own business (see checkRequest).
    virtual Id start(UpstreamRequest request, std::shared_ptr<UpstreamListener> listener) = 0;

    /// Closes the call's connection; onDone(cancelled) follows unless the call is over.
    virtual void cancel(Id call) = 0;

    /// Holds the answer back, so that the server has to wait. What is on its way may still arrive before the
    /// call's loop hears of this; from inside the call's own listener it holds from the next piece on.
    /// Meanwhile only the total time-out runs.
    virtual void pause(Id call) = 0;
    virtual void resume(Id call) = 0;

    /// Runs `task` on an event loop after a while, for delays between tries. Dropped when the client goes.
    virtual void after(std::chrono::milliseconds delay, std::function<void()> task) = 0;
};

}  // namespace sallyport::plugins::llm
