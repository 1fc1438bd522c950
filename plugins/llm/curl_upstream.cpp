#include "curl_upstream.h"

#include <stdexcept>
#include <utility>

#include <dlfcn.h>

namespace sallyport::plugins::llm {

namespace {

/// Readies libcurl, once and for good: a lookup of a name that nobody waits for any more still runs in
/// libcurl's code, which so must stay in memory when the plugin is unloaded.
void readyLibcurl() {
    static const bool ready = [] {
        Dl_info library{};
        const bool found = ::dladdr(reinterpret_cast<void*>(&curl_easy_init), &library) != 0;
        return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK && found &&
               ::dlopen(library.dli_fname, RTLD_NOW | RTLD_NODELETE) != nullptr;
    }();
    if (!ready) {
        throw std::runtime_error("libcurl cannot be used");
    }
}

}  // namespace

const char* name(UpstreamProblem problem) {
    switch (problem) {
        case UpstreamProblem::none:
            return "none";
        case UpstreamProblem::resolve:
            return "resolve";
        case UpstreamProblem::connect:
            return "connect";
        case UpstreamProblem::tls:
            return "tls";
        case UpstreamProblem::connectTimeout:
            return "connect_timeout";
        case UpstreamProblem::firstByteTimeout:
            return "first_byte_timeout";
        case UpstreamProblem::idleTimeout:
            return "idle_timeout";
        case UpstreamProblem::totalTimeout:
            return "total_timeout";
        case UpstreamProblem::broken:
            return "broken";
        case UpstreamProblem::tooLarge:
            return "too_large";
        case UpstreamProblem::cancelled:
            return "cancelled";
    }
    return "unknown";
}

CurlUpstream::CurlUpstream(std::vector<std::shared_ptr<IoLoop>> loops, Logger& log) {
    readyLibcurl();
    for (auto& loop : loops) {
        loops_.push_back(std::make_shared<CurlLoop>(std::move(loop), log));
    }
    for (const auto& loop : loops_) {
        loop->attach();
    }
}

CurlUpstream::~CurlUpstream() {
    // All of them before the first one goes: a listener may speak of a call on another loop.
    for (const auto& loop : loops_) {
        loop->detach();
    }
}

Upstream::Id CurlUpstream::start(UpstreamRequest request, std::shared_ptr<UpstreamListener> listener) {
    checkRequest(request);
    const std::size_t loop = nextLoop();
    const Id id = ++calls_ * loops_.size() + loop;
    loops_[loop]->start(id, std::move(request), std::move(listener));
    return id;
}

void CurlUpstream::cancel(Id call) {
    loopOf(call).cancel(call);
}

void CurlUpstream::pause(Id call) {
    loopOf(call).setPaused(call, true);
}

void CurlUpstream::resume(Id call) {
    loopOf(call).setPaused(call, false);
}

void CurlUpstream::after(std::chrono::milliseconds delay, std::function<void()> task) {
    loops_[nextLoop()]->after(delay, std::move(task));
}

std::size_t CurlUpstream::nextLoop() {
    for (std::size_t i = 0; i < loops_.size(); ++i) {
        if (loops_[i]->onOwnThread()) {
            return i;
        }
    }
    return turn_++ % loops_.size();
}

}  // namespace sallyport::plugins::llm
