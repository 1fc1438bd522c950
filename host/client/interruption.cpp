#include "host/client/interruption.h"

#include <cerrno>
#include <cstdint>
#include <system_error>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sallyport::host::client {

namespace {

std::atomic<Interruption*> onSignal = nullptr;
static_assert(std::atomic<Interruption*>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "used in a signal handler");

void handle(int /*signal*/) {
    const int before = errno;
    if (Interruption* interruption = onSignal) {
        interruption->request();
    }
    errno = before;
}

}  // namespace

Interruption::Interruption() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (wake_ < 0) {
        throw std::system_error(errno, std::generic_category(), "eventfd");
    }
}

Interruption::~Interruption() {
    ::close(wake_);
}

void Interruption::request() noexcept {
    requested_ = true;
    const std::uint64_t one = 1;
    // It fails only when the counter is full, and then the sleeper has been woken already.
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof(one));
    if (const int socket = socket_; socket >= 0) {
        ::shutdown(socket, SHUT_RDWR);
    }
}

bool Interruption::sleep(std::chrono::milliseconds time) const {
    const auto end = std::chrono::steady_clock::now() + time;
    while (!requested()) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        pollfd wake{.fd = wake_, .events = POLLIN, .revents = 0};
        if (left.count() <= 0 || ::poll(&wake, 1, static_cast<int>(left.count())) == 0) {
            return requested();
        }
    }
    return true;
}

Interruption::Guard::Guard(Interruption& interruption, int descriptor) : interruption_(interruption) {
    interruption.socket_ = descriptor;
    // A request before the line above has not seen the socket.
    if (interruption.requested()) {
        ::shutdown(descriptor, SHUT_RDWR);
    }
}

Interruption::Guard::~Guard() {
    interruption_.socket_ = -1;
}

InterruptOnSignal::InterruptOnSignal(Interruption& interruption, int signal) : signal_(signal) {
    onSignal = &interruption;
    struct sigaction action {};
    action.sa_handler = handle;
    action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
    ::sigemptyset(&action.sa_mask);
    ::sigaction(signal_, &action, &before_);
}

InterruptOnSignal::~InterruptOnSignal() {
    ::sigaction(signal_, &before_, nullptr);
    onSignal = nullptr;
}

}  // namespace sallyport::host::client
