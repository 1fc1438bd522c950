#include "host/http/request_metrics.h"

#include <algorithm>
#include <string>

namespace sallyport::host::http {

namespace {

constexpr std::array doorNames{"worker", "operator"};
constexpr std::array classNames{"1xx", "2xx", "3xx", "4xx", "5xx"};
/// From what memory answers to how long a worker waits for a prompt.
const std::vector<double> bounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                 0.25,   0.5,   1,      2.5,   5,    10,    30,   60};

std::size_t indexOf(Realm door) {
    return door == Realm::worker ? 0 : 1;
}

}  // namespace

RequestMetrics::RequestMetrics(Metrics& metrics) {
    const MetricLabel door{"door", {doorNames.begin(), doorNames.end()}};
    auto& answers = metrics.counters("http_answers_total", "Requests that were answered",
                                     {door, {"status", {classNames.begin(), classNames.end()}}});
    auto& seconds = metrics.histograms("http_answer_seconds",
                                       "Time from a request to the beginning of its answer", bounds, {door});
    auto& open = metrics.gauges("http_tunnels", "Tunnels that are open", {door});
    auto& bytes = metrics.counters("http_tunnel_bytes_total", "Bytes that went through tunnels",
                                   {door, {"direction", {"received", "sent"}}});
    for (std::size_t i = 0; i < doors; ++i) {
        tunnels_[i] = {&open.of({doorNames[i]}), &bytes.of({doorNames[i], "received"}),
                       &bytes.of({doorNames[i], "sent"})};
        seconds_[i] = &seconds.of({doorNames[i]});
        for (std::size_t j = 0; j < classes; ++j) {
            answers_[i][j] = &answers.of({doorNames[i], classNames[j]});
        }
    }
}

void RequestMetrics::answered(Realm door, int status, std::chrono::steady_clock::duration took) noexcept {
    const auto statusClass =
        static_cast<std::size_t>(std::clamp(status / 100, 1, static_cast<int>(classes))) - 1;
    answers_[indexOf(door)][statusClass]->add();
    seconds_[indexOf(door)]->observe(std::chrono::duration<double>(took).count());
}

const RequestMetrics::Tunnels& RequestMetrics::tunnels(Realm door) const noexcept {
    return tunnels_[indexOf(door)];
}

}  // namespace sallyport::host::http
