// The client for the providers' servers.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include <sallyport/ext/io.h>
#include <sallyport/log.h>

#include "http_loop.h"
#include "route.h"
#include "tls_contexts.h"
#include "upstream.h"

namespace sallyport::plugins::llm {

/// Makes calls over HTTP/1.1 on the host's event loops, so that a request that is handled on one of them
/// needs no other thread: a call that is begun on a loop stays there, others are spread over all of them.
/// Each loop keeps its connections alive for later calls. Redirections are not followed, cookies not kept.
/// The process must ignore SIGPIPE.
class HttpUpstream final : public Upstream {
public:
    /// @param loops at least one.
    HttpUpstream(std::vector<std::shared_ptr<IoLoop>> loops, Logger& log);
    /// Ends every call with `cancelled` before it returns. Not on a loop's thread.
    ~HttpUpstream() override;

    Id start(UpstreamRequest request, std::shared_ptr<UpstreamListener> listener) override;
    void cancel(Id call) override;
    void pause(Id call) override;
    void resume(Id call) override;
    void after(std::chrono::milliseconds delay, std::function<void()> task) override;

private:
    /// The thread's own loop where it has one; elsewhere one after another.
    [[nodiscard]] std::size_t nextLoop();
    /// A call's number says which loop it is on.
    [[nodiscard]] HttpLoop& loopOf(Id call) { return *loops_[call % loops_.size()]; }

    const EnvironmentProxies proxies_;
    TlsContexts tls_;
    std::vector<std::shared_ptr<HttpLoop>> loops_;
    std::atomic<std::uint64_t> turn_{0};
    std::atomic<std::uint64_t> calls_{0};
};

}  // namespace sallyport::plugins::llm
