#include "host/log/output.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sallyport::host::log {

namespace {

constexpr int patienceMs = 100;  ///< how long one line may wait for a slow reader

/// Whether standard error is connected to the journal (systemd.exec(5), JOURNAL_STREAM).
bool isJournal(const struct stat& status) {
    const char* const stream = std::getenv("JOURNAL_STREAM");
    return stream != nullptr && std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

/// The syslog priority that sd-daemon(3) describes.
const char* priority(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return "<7>";
        case LogLevel::info:
            return "<6>";
        case LogLevel::warn:
            return "<4>";
        case LogLevel::error:
            break;
    }
    return "<3>";
}

}  // namespace

Output::Output(const std::string& file) {
    if (file.empty()) {
        useStandardError();
        return;
    }
    // Without O_NONBLOCK, a named pipe that nobody reads would hold up the start.
    constexpr int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    owned_ = FileDescriptor(::open(file.c_str(), flags, S_IRUSR | S_IWUSR | S_IRGRP));
    if (!owned_.open()) {
        throw std::runtime_error("the log file " + file + " cannot be opened: " + std::strerror(errno));
    }
    descriptor_ = owned_.get();
    examine();
}

void Output::useStandardError() {
    descriptor_ = STDERR_FILENO;
    examine();
    if (kind_ != Kind::terminal) {
        return;
    }
    // A terminal that its user has stopped blocks whoever writes to it. Opened anew, it can be made
    // non-blocking without the shell that shares standard error noticing.
    owned_ = FileDescriptor(::open("/proc/self/fd/2", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (owned_.open()) {
        descriptor_ = owned_.get();
    }
}

void Output::examine() {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) {
        return;  // standard error is closed: each write will say so
    }
    journal_ = descriptor_ == STDERR_FILENO && isJournal(status);
    if (S_ISFIFO(status.st_mode)) {
        kind_ = Kind::pipe;
    } else if (S_ISSOCK(status.st_mode)) {
        kind_ = Kind::socket;
    } else if (S_ISCHR(status.st_mode)) {
        kind_ = Kind::terminal;
    }
}

bool Output::write(LogLevel level, std::string line) {
    if (journal_) {
        line.insert(0, priority(level));
    }
    if (torn_) {
        line.insert(0, 1, '\n');
    }
    std::size_t done = 0;
    bool alive = true;
    while (alive && done < line.size()) {
        alive = waitUntilWritable();
        const long written = alive ? writeSome(line.data() + done, line.size() - done) : 0;
        if (written >= 0) {
            done += static_cast<std::size_t>(written);
        } else {
            alive = errno == EINTR || errno == EAGAIN;
        }
    }
    const bool whole = done == line.size();
    if (done > 0) {
        torn_ = !whole;
    }
    stuck_ = !whole;
    return whole;
}

bool Output::waitUntilWritable() const {
    if (kind_ == Kind::file) {
        return true;
    }
    // One line waits; those after it are dropped at once until the reader takes some again.
    pollfd target{descriptor_, POLLOUT, 0};
    int ready = -1;
    do {
        ready = ::poll(&target, 1, stuck_ ? 0 : patienceMs);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

long Output::writeSome(const char* text, std::size_t length) const {
    switch (kind_) {
        case Kind::socket:
            return ::send(descriptor_, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        case Kind::pipe:
            // Standard error shares its mode with other processes, so it is left blocking; a pipe that is
            // writable takes this much without (pipe(7)).
            return ::write(descriptor_, text, std::min<std::size_t>(length, PIPE_BUF));
        case Kind::file:
        case Kind::terminal:
            break;
    }
    return ::write(descriptor_, text, length);
}

}  // namespace sallyport::host::log
