#include "tests/support/process.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace sallyport::tests {

namespace {

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

std::vector<std::string> environmentOf(const Command& command) {
    std::map<std::string, std::string> variables;
    for (const char* name : {"PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS",
                             "TSAN_OPTIONS", "GCOV_PREFIX", "GCOV_PREFIX_STRIP"}) {
        if (const char* value = std::getenv(name)) {
            variables[name] = value;
        }
    }
    for (const auto& [name, value] : command.environment) {
        variables[name] = value;
    }
    if (!command.sockets.empty()) {
        std::string names;
        for (const PassedSocket& socket : command.sockets) {
            names += (names.empty() ? "" : ":") + socket.name;
        }
        variables["LISTEN_FDS"] = std::to_string(command.sockets.size());
        variables["LISTEN_FDNAMES"] = names;
        // The child puts its own number there.
        variables["LISTEN_PID"] = std::string(std::numeric_limits<pid_t>::digits10 + 1, ' ');
    }
    std::vector<std::string> lines;
    lines.reserve(variables.size());
    for (const auto& [name, value] : variables) {
        lines.push_back(std::string(name).append("=").append(value));
    }
    return lines;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (std::string& text : strings) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

struct Pipe {
    FileDescriptor read;
    FileDescriptor write;
};

Pipe makePipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        fail("pipe2");
    }
    Pipe made{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return made;
}

/// Everything that the child needs, made before the fork: after it nothing may allocate.
struct Launch {
    explicit Launch(const Command& command) : program(command.program), variables(environmentOf(command)) {
        words.push_back(command.program);
        words.insert(words.end(), command.arguments.begin(), command.arguments.end());
        arguments = pointers(words);
        environment = pointers(variables);
        for (const PassedSocket& socket : command.sockets) {
            // Out of the way of the numbers that they are to have.
            sockets.emplace_back(::fcntl(socket.descriptor, F_DUPFD_CLOEXEC, 100));
        }
    }

    std::string program;
    std::vector<std::string> words;
    std::vector<std::string> variables;
    std::vector<char*> arguments;
    std::vector<char*> environment;
    std::vector<FileDescriptor> sockets;
};

/// Writes the number of this process into its LISTEN_PID.
void claimSockets(const Launch& launch) {
    static constexpr std::string_view name = "LISTEN_PID=";
    for (char* const variable : launch.environment) {
        if (variable == nullptr || std::string_view(variable).substr(0, name.size()) != name) {
            continue;
        }
        char* const value = variable + name.size();
        *std::to_chars(value, value + std::string_view(value).size(), ::getpid()).ptr = '\0';
    }
}

/// In the child, between fork and exec.
[[noreturn]] void becomeChild(pid_t parent, int input, int output, int errors, const Launch& launch) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    bool ready = ::getppid() == parent && (input < 0 || ::dup2(input, STDIN_FILENO) >= 0) &&
                 ::dup2(output, STDOUT_FILENO) >= 0 && ::dup2(errors, STDERR_FILENO) >= 0;
    int number = STDERR_FILENO;
    for (const FileDescriptor& socket : launch.sockets) {
        ready = ready && ::dup2(socket.get(), ++number) >= 0;
    }
    if (!launch.sockets.empty()) {
        claimSockets(launch);
    }
    if (ready) {
        ::execve(launch.program.c_str(), launch.arguments.data(), launch.environment.data());
    }
    ::_exit(127);
}

}  // namespace

Process::Process(const Command& command) {
    const Launch launch(command);
    FileDescriptor log;
    Pipe output;
    Pipe errors;
    if (command.log.empty()) {
        output = makePipe();
        errors = makePipe();
    } else {
        log = FileDescriptor(::open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        if (!log.open()) {
            fail("open");
        }
    }
    FileDescriptor input;
    if (!command.input.empty()) {
        input = FileDescriptor(::open(command.input.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY));
        if (!input.open()) {
            fail("open");
        }
    }
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) {
        fail("fork");
    }
    if (pid_ == 0) {
        becomeChild(parent, input.get(), log.open() ? log.get() : output.write.get(),
                    log.open() ? log.get() : errors.write.get(), launch);
    }
    descriptor_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!descriptor_.open()) {
        fail("pidfd_open");
    }
    output_.pipe = std::move(output.read);
    errors_.pipe = std::move(errors.read);
}

Process::~Process() {
    if (!ended_) {
        signal(SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
}

bool Process::running() {
    pollfd watched{descriptor(), POLLIN, 0};
    return !ended_ && ::poll(&watched, 1, 0) == 0;
}

void Process::signal(int number) {
    if (!ended_ && ::syscall(SYS_pidfd_send_signal, descriptor(), number, nullptr, 0) != 0 &&
        errno != ESRCH) {
        fail("pidfd_send_signal");
    }
}

bool Process::drain(Captured& stream) {
    std::array<char, 16384> buffer{};
    for (;;) {
        const ssize_t size = ::read(stream.pipe.get(), buffer.data(), buffer.size());
        if (size < 0) {
            return true;
        }
        if (size == 0) {
            stream.pipe.close();
            return false;
        }
        stream.text.append(buffer.data(), static_cast<std::size_t>(size));
    }
}

void Process::pump(const Deadline& deadline) {
    std::array<pollfd, 3> watched{pollfd{output_.pipe.get(), POLLIN, 0},
                                  pollfd{errors_.pipe.get(), POLLIN, 0}, pollfd{descriptor(), POLLIN, 0}};
    const int ready = ::poll(watched.data(), watched.size(), deadline.pollTimeout());
    if (ready == 0) {
        throw TimedOut("gave up waiting for process " + std::to_string(pid_) + ", which wrote\n" +
                       output_.text + errors_.text);
    }
    if (watched[0].revents != 0) {
        drain(output_);
    }
    if (watched[1].revents != 0) {
        drain(errors_);
    }
    if (watched[2].revents != 0 && !ended_) {
        reap();
    }
}

void Process::reap() {
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) {
        fail("waitpid");
    }
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ended_ = true;
    for (Captured* stream : {&output_, &errors_}) {
        if (stream->pipe.open()) {
            drain(*stream);
        }
    }
}

int Process::wait() {
    const Deadline deadline;
    while (!ended_) {
        pump(deadline);
    }
    return status_;
}

void Process::awaitText(const Captured& stream, std::string_view text) {
    const Deadline deadline;
    while (stream.text.find(text) == std::string::npos) {
        if (ended_) {
            throw std::runtime_error("the process ended with " + std::to_string(status_) +
                                     " before it wrote '" + std::string(text) + "':\n" + output_.text +
                                     errors_.text);
        }
        pump(deadline);
    }
}

std::string Finished::describe() const {
    return "exit status " + std::to_string(status) + "\nstdout: " + output + "\nstderr: " + errors;
}

Finished run(const Command& command) {
    Process process(command);
    const int status = process.wait();
    return {status, process.output(), process.errors()};
}

}  // namespace sallyport::tests
