#include "tests/support/deadline.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

#include <poll.h>

namespace sallyport::tests {

std::chrono::milliseconds failureLimit() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return std::chrono::seconds(100);
#else
    return std::chrono::seconds(20);
#endif
}

Deadline::Deadline(std::chrono::milliseconds limit) : end_(std::chrono::steady_clock::now() + limit) {}

int Deadline::pollTimeout() const {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::max<decltype(left)>(left, 0));
}

void Deadline::await(int descriptor, short events, const char* what) const {
    pollfd watched{descriptor, events, 0};
    for (;;) {
        const int ready = ::poll(&watched, 1, pollTimeout());
        if (ready > 0) {
            return;
        }
        if (ready == 0) {
            throw TimedOut(std::string("gave up waiting for ") + what);
        }
        if (errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "poll");
        }
    }
}

}  // namespace sallyport::tests
