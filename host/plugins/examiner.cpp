#include "host/plugins/examiner.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sallyport/file_descriptor.h>

#include "host/plugins/examination_message.h"
#include "host/plugins/examined_plugins.h"

namespace sallyport::host::plugins {

namespace {

using Clock = std::chrono::steady_clock;
using Kind = ExaminationMessage::Kind;

constexpr const char* check = "plugins";

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// Whoever reads has gone if it cannot be written: then nobody needs to hear more.
void writeOrEnd(int descriptor, std::string_view text) {
    if (!writeAll(descriptor, text)) {
        ::_exit(EXIT_FAILURE);
    }
}

/// How a process ended that should not have.
std::string endOf(int status) {
    if (WIFSIGNALED(status)) {
        const char* const name = ::sigabbrev_np(WTERMSIG(status));
        return std::string("it crashed with ") +
               (name == nullptr ? "signal " + std::to_string(WTERMSIG(status)) : std::string("SIG") + name);
    }
    return "it ended its process with status " + std::to_string(WEXITSTATUS(status));
}

/// A process in which plugins are examined. Killed with its object.
class Process {
public:
    Process(const std::vector<const Inspected*>& plugins, const config::Configuration& configuration,
            const Surroundings& surroundings)
        : Process(makePipe(), plugins, configuration, surroundings) {}
    ~Process() { static_cast<void>(end()); }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    /// The next message; nothing when there will be none, or not in time.
    std::optional<ExaminationMessage> next(Clock::time_point deadline) {
        for (;;) {
            if (const auto end = input_.find('\n'); end != std::string::npos) {
                auto message = ExaminationMessage::read(std::string_view(input_).substr(0, end));
                input_.erase(0, end + 1);
                if (message) {
                    return message;
                }
                continue;
            }
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
            pollfd readable{.fd = read_.get(), .events = POLLIN, .revents = 0};
            const int ready = ::poll(&readable, 1, static_cast<int>(std::max(left.count(), std::int64_t{0})));
            late_ = ready == 0;
            if (late_ || (ready > 0 && !readMore())) {
                return std::nullopt;
            }
        }
    }

    /// How it ended, or else ends it now, and why: what follows "could not be examined".
    std::string end() {
        if (process_ > 0) {
            // One that has ended already keeps its status.
            ::kill(process_, SIGKILL);
            while (::waitpid(process_, &status_, 0) < 0 && errno == EINTR) {
            }
            process_ = -1;
        }
        return late_ ? "it did not come to an end in time" : endOf(status_);
    }

private:
    using Ends = std::array<int, 2>;

    static Ends makePipe() {
        Ends ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            fail("no pipe can be made");
        }
        return ends;
    }

    Process(const Ends& ends, const std::vector<const Inspected*>& plugins,
            const config::Configuration& configuration, const Surroundings& surroundings)
        : read_(ends[0]) {
        FileDescriptor write(ends[1]);
        const pid_t parent = ::getpid();
        process_ = ::fork();
        if (process_ < 0) {
            fail("no process can be made");
        }
        if (process_ == 0) {
            child(write.get(), parent, plugins, configuration, surroundings);
        }
    }

    /// In the child, for all its life.
    [[noreturn]] static void child(int pipe, pid_t parent, const std::vector<const Inspected*>& plugins,
                                   const config::Configuration& configuration,
                                   const Surroundings& surroundings) {
        // Nobody would hear what it finds.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) {
            ::_exit(EXIT_FAILURE);
        }
        // Secrets may be in its memory.
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_CORE, &none);
        constexpr int told = STDERR_FILENO + 1;
        if (::dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || ::dup2(pipe, told) < 0 ||
            ::fcntl(told, F_SETFD, FD_CLOEXEC) < 0) {
            ::_exit(EXIT_FAILURE);
        }
        ::close_range(told + 1, ~0U, 0);
        examineHere(plugins, configuration, surroundings,
                    [](const ExaminationMessage& message) { writeOrEnd(told, message.line()); });
        ::_exit(EXIT_SUCCESS);
    }

    bool readMore() {
        std::array<char, 4096> piece{};
        const auto got = ::read(read_.get(), piece.data(), piece.size());
        if (got > 0) {
            input_.append(piece.data(), static_cast<std::size_t>(got));
        }
        return got > 0 || (got < 0 && errno == EINTR);
    }

    FileDescriptor read_;
    pid_t process_ = -1;
    int status_ = 0;
    bool late_ = false;
    std::string input_;
};

/// Examines until each plugin has been, in as many processes as that takes.
class Examining {
public:
    Examining(const std::vector<Inspected>& inspected, const config::Configuration& configuration,
              const Surroundings& surroundings, std::chrono::milliseconds patience)
        : configuration_(configuration), surroundings_(surroundings), patience_(patience) {
        for (const auto& plugin : inspected) {
            if (plugin.problems.empty() && !plugin.disabled) {
                plugins_.push_back({&plugin, {plugin.declaration->name, {}}, false, false});
            }
        }
    }

    std::vector<Examined> run() {
        while (std::any_of(plugins_.begin(), plugins_.end(),
                           [](const State& plugin) { return !plugin.examined; })) {
            runOnce();
        }
        std::vector<Examined> results;
        for (auto& plugin : plugins_) {
            results.push_back(std::move(plugin.result));
        }
        return results;
    }

private:
    struct State {
        const Inspected* inspected;
        Examined result;
        bool examined;  ///< there is nothing more to hear of it
        bool ended;     ///< the process, and is not to do that again
    };

    /// Those that have been examined are examined once more, because others may ask them for something.
    void runOnce() {
        std::vector<const Inspected*> chosen;
        for (const auto& plugin : plugins_) {
            if (!plugin.ended) {
                chosen.push_back(plugin.inspected);
            }
        }
        Process process(chosen, configuration_, surroundings_);
        State* inside = nullptr;
        while (const auto message = process.next(Clock::now() + patience_)) {
            if (message->kind == Kind::complete) {
                return;
            }
            take(*message, inside);
        }
        blame(inside, process.end());
    }

    /// @param inside the plugin whose code runs.
    void take(const ExaminationMessage& message, State*& inside) {
        const auto found = std::find_if(plugins_.begin(), plugins_.end(), [&](const State& plugin) {
            return plugin.result.plugin == message.plugin;
        });
        if (found == plugins_.end()) {
            return;
        }
        if (message.kind == Kind::enters) {
            inside = &*found;
        } else if (message.kind == Kind::examined) {
            inside = nullptr;
            found->examined = true;
        } else if (!found->examined) {
            found->result.findings.push_back(message.finding);
        }
    }

    static void blame(State* plugin, const std::string& how) {
        if (plugin == nullptr) {
            throw std::runtime_error("the process that examines plugins failed: " + how);
        }
        plugin->examined = true;
        plugin->ended = true;
        plugin->result.findings.push_back(
            {check, Verdict::failed, plugin->result.plugin + " could not be examined: " + how});
    }

    const config::Configuration& configuration_;
    const Surroundings& surroundings_;
    const std::chrono::milliseconds patience_;
    std::vector<State> plugins_;
};

}  // namespace

std::vector<Examined> examine(const std::vector<Inspected>& inspected,
                              const config::Configuration& configuration, const Surroundings& surroundings,
                              std::chrono::milliseconds patience) {
    return Examining(inspected, configuration, surroundings, patience).run();
}

}  // namespace sallyport::host::plugins
