// The upstream client on libcurl.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include <sallyport/io_loop.h>
#include <sallyport/log.h>

#include "curl_loop.h"
#include "upstream.h"

namespace sallyport::plugins::llm {

/// Makes calls on the host's event loops, so that a request that is handled on one of them needs no other
/// thread: a call that is begun on a loop stays there, others are spread over all of them. Each loop keeps
/// its connections alive for later calls. Where a kept connection turns out to have been closed by the
/// server, the request goes over a new one.
class CurlUpstream final : public Upstream {
public:
    /// @param loops at least one. @throws std::runtime_error when there are no descriptors to be had.
    CurlUpstream(std::vector<std::shared_ptr<IoLoop>> loops, Logger& log);
    /// Ends every call with `cancelled` before it returns. Not on a loop's thread.
    ~CurlUpstream() override;

    Id start(UpstreamRequest request, std::shared_ptr<UpstreamListener> listener) override;
    void cancel(Id call) override;
    void pause(Id call) override;
    void resume(Id call) override;
    void after(std::chrono::milliseconds delay, std::function<void()> task) override;

private:
    /// The thread's own loop where it has one; elsewhere one after another.
    [[nodiscard]] std::size_t nextLoop();
    /// A call's number says which loop it is on.
    [[nodiscard]] CurlLoop& loopOf(Id call) { return *loops_[call % loops_.size()]; }

    std::vector<std::shared_ptr<CurlLoop>> loops_;
    std::atomic<std::uint64_t> turn_{0};
    std::atomic<std::uint64_t> calls_{0};
};

}  // namespace sallyport::plugins::llm
