// The upstream client on libcurl.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include <sallyport/log.h>

#include "curl_loop.h"
#include "upstream.h"

namespace sallyport::plugins::llm {

/// Spreads calls over threads of its own. Each keeps its connections alive for later calls; a call that a
/// listener or a delayed task begins stays on its thread. Where a kept connection turns out to have been
/// closed by the server, the request goes over a new one.
class CurlUpstream final : public Upstream {
public:
    /// @throws std::runtime_error when there are no threads or descriptors to be had.
    CurlUpstream(unsigned threads, Logger& log);
    /// Ends every call with `cancelled` before it returns. Not from a listener.
    ~CurlUpstream() override;

    Id start(UpstreamRequest request, std::shared_ptr<UpstreamListener> listener) override;
    void cancel(Id call) override;
    void pause(Id call) override;
    void resume(Id call) override;
    void after(std::chrono::milliseconds delay, std::function<void()> task) override;

private:
    /// The thread's own loop on a client's thread; elsewhere one after another.
    [[nodiscard]] std::size_t nextLoop();
    /// A call's number says which loop it is on.
    [[nodiscard]] CurlLoop& loopOf(Id call) { return *loops_[call % loops_.size()]; }

    std::vector<std::unique_ptr<CurlLoop>> loops_;
    std::atomic<std::uint64_t> turn_{0};
    std::atomic<std::uint64_t> calls_{0};
};

}  // namespace sallyport::plugins::llm
