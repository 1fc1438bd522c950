#include "upstream.h"

namespace sallyport::plugins::llm {

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

}  // namespace sallyport::plugins::llm
