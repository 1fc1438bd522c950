#include "http_upstream.h"

#include <utility>

#include "request_text.h"

namespace sallyport::plugins::llm {

HttpUpstream::HttpUpstream(std::vector<std::shared_ptr<IoLoop>> loops, Logger& log) {
    for (auto& loop : loops) {
        loops_.push_back(std::make_shared<HttpLoop>(std::move(loop), tls_, log));
    }
    for (const auto& loop : loops_) {
        loop->attach();
    }
}

HttpUpstream::~HttpUpstream() {
    // All of them before the first one goes: a listener may speak of a call on another loop.
    for (const auto& loop : loops_) {
        loop->detach();
    }
}

Upstream::Id HttpUpstream::start(UpstreamRequest request, std::shared_ptr<UpstreamListener> listener) {
    checkRequest(request);
    const Url url = Url::parse(request.url);
    Route route = routeTo(url, request.endpoint, proxies_);
    SecretText head = requestHead(request, url, route);
    std::string poolKey = route.key();
    PreparedRequest prepared{std::move(route), std::move(poolKey), std::move(head), std::move(request.body),
                             std::move(request.endpoint)};
    const std::size_t loop = nextLoop();
    const Id id = ++calls_ * loops_.size() + loop;
    loops_[loop]->start(id, std::move(prepared), std::move(listener));
    return id;
}

void HttpUpstream::cancel(Id call) {
    loopOf(call).cancel(call);
}

void HttpUpstream::pause(Id call) {
    loopOf(call).setPaused(call, true);
}

void HttpUpstream::resume(Id call) {
    loopOf(call).setPaused(call, false);
}

void HttpUpstream::after(std::chrono::milliseconds delay, std::function<void()> task) {
    loops_[nextLoop()]->after(delay, std::move(task));
}

std::size_t HttpUpstream::nextLoop() {
    for (std::size_t i = 0; i < loops_.size(); ++i) {
        if (loops_[i]->onOwnThread()) {
            return i;
        }
    }
    return turn_++ % loops_.size();
}

}  // namespace sallyport::plugins::llm
