#include "host/cli/subprocess.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sallyport/file_descriptor.h>

namespace sallyport::host::cli {

namespace {

/// More would fill the memory.
constexpr std::size_t longestOutput = 256UL << 20U;

constexpr std::array requests{SIGINT, SIGTERM, SIGHUP};

std::atomic<pid_t> child = 0;
std::atomic<int> requested = 0;
static_assert(std::atomic<pid_t>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "used in a signal handler");

void passOn(int signal) {
    const int before = errno;
    requested = signal;
    if (const pid_t running = child; running > 0) {
        ::kill(running, SIGTERM);
    }
    errno = before;
}

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// While it lives, requests to end this program are passed on to the child. What was ignored before, as
/// SIGHUP is by nohup(1), goes on being ignored.
class PassingOn {
public:
    PassingOn() {
        requested = 0;
        struct sigaction action {};
        action.sa_handler = passOn;
        action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
        ::sigemptyset(&action.sa_mask);
        for (std::size_t i = 0; i < requests.size(); ++i) {
            ::sigaction(requests[i], nullptr, &before_[i]);
            if (before_[i].sa_handler != SIG_IGN) {
                ::sigaction(requests[i], &action, nullptr);
            }
        }
    }
    ~PassingOn() { takeBack(); }
    PassingOn(const PassingOn&) = delete;
    PassingOn& operator=(const PassingOn&) = delete;

    void takeBack() const {
        for (std::size_t i = 0; i < requests.size(); ++i) {
            ::sigaction(requests[i], &before_[i], nullptr);
        }
    }

private:
    std::array<struct sigaction, requests.size()> before_{};
};

/// While it lives, requests to end this program wait.
class Waiting {
public:
    Waiting() {
        sigset_t blocked;
        ::sigemptyset(&blocked);
        for (const int signal : requests) {
            ::sigaddset(&blocked, signal);
        }
        ::pthread_sigmask(SIG_BLOCK, &blocked, &before_);
    }
    ~Waiting() { end(); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    void end() const { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

/// Reads up to the end, or one piece more than `most`.
std::string readAll(const FileDescriptor& from, std::size_t most) {
    std::string all;
    std::array<char, 65536> piece{};
    while (all.size() <= most) {
        const ssize_t got = ::read(from.get(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        all.append(piece.data(), static_cast<std::size_t>(got));
    }
    return all;
}

struct Pipe {
    Pipe() : Pipe(make()) {}
    FileDescriptor read;
    FileDescriptor write;

private:
    explicit Pipe(const std::array<int, 2>& ends) : read(ends[0]), write(ends[1]) {}
    static std::array<int, 2> make() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            fail("pipe");
        }
        return ends;
    }
};

std::vector<char*> pointers(const std::string& program, const std::vector<std::string>& arguments) {
    // execv(3) changes none of them.
    std::vector<char*> result{const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) {
        result.push_back(const_cast<char*>(argument.c_str()));
    }
    result.push_back(nullptr);
    return result;
}

/// In the child: only what is safe in a signal handler. What fails is told through the pipe.
[[noreturn]] void execute(const std::vector<char*>& words, pid_t parent, const Pipe& output,
                          const Pipe& problem) {
    ::signal(SIGINT, SIG_IGN);
    // Nobody would read what it finds. The kernel forgets this when the child gives up root's rights.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() == parent && ::dup2(output.write.get(), STDOUT_FILENO) >= 0) {
        ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        ::execv(words.front(), words.data());
    }
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(problem.write.get(), &error, sizeof error);
    ::_exit(EXIT_FAILURE);
}

/// @return the child's number. From here on it is the one that requests are passed on to.
pid_t start(const std::vector<char*>& words, const Pipe& output, const Pipe& problem,
            const PassingOn& passingOn) {
    const pid_t parent = ::getpid();
    const Waiting waiting;
    const pid_t process = ::fork();
    if (process < 0) {
        fail("fork");
    }
    if (process == 0) {
        passingOn.takeBack();
        waiting.end();
        execute(words, parent, output, problem);
    }
    child = process;
    return process;
}

/// @return its status.
int awaitEnd(pid_t process) {
    siginfo_t ignored;
    while (::waitid(P_PID, static_cast<id_t>(process), &ignored, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
    }
    // As long as it has not been waited for in earnest, its number is nobody else's.
    child = 0;
    int status = 0;
    ::waitpid(process, &status, 0);
    return status;
}

}  // namespace

std::string Ended::how() const {
    if (WIFSIGNALED(status)) {
        return "by signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
    }
    return "with status " + std::to_string(WEXITSTATUS(status));
}

Ended runProgram(const std::string& program, const std::vector<std::string>& arguments) {
    const std::vector<char*> words = pointers(program, arguments);
    Pipe output;
    Pipe problem;
    std::signal(SIGCHLD, SIG_DFL);  // else nobody would learn how it ended
    const PassingOn passingOn;
    const pid_t process = start(words, output, problem, passingOn);
    output.write.close();
    problem.write.close();
    const std::string error = readAll(problem.read, sizeof(int));
    Ended ended;
    ended.output = readAll(output.read, longestOutput);
    output.read.close();  // one that goes on is ended by SIGPIPE
    ended.status = awaitEnd(process);
    ended.signal = requested;
    if (error.size() == sizeof(int)) {
        std::memcpy(&errno, error.data(), sizeof(int));
        fail("cannot run " + program);
    }
    if (ended.output.size() > longestOutput) {
        throw std::runtime_error(program + " prints more than 256 MiB");
    }
    return ended;
}

void endBySignal(int signal) {
    std::signal(signal, SIG_DFL);
    ::raise(signal);
}

}  // namespace sallyport::host::cli
