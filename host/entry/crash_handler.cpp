#include "host/entry/crash_handler.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string_view>

#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#include <Poco/Exception.h>

#include "host/entry/alternate_stack.h"
#include "host/entry/entry.h"
#include "host/entry/loaded_code.h"
#include "host/entry/signal_text.h"
#include "host/entry/slow_calls.h"

namespace sallyport::host::entry {

namespace {

struct Caught {
    int signal;
    const char* name;
};
constexpr std::array<Caught, 5> caught{
    {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}, {SIGABRT, "SIGABRT"}}};
constexpr int mostFrames = 256;

/// What the handler finds when it is called. All of it is set before, or by the handler itself.
std::array<struct sigaction, caught.size()> formerActions;
std::terminate_handler formerTerminate = nullptr;
std::atomic<const log::Emergency*> emergency{nullptr};
std::atomic<int> journal{-1};
std::atomic<pid_t> crashing{0};  ///< the thread whose crash is being written down
std::array<char, 256> reason{};  ///< what std::terminate was called for
volatile std::sig_atomic_t walking = 0;
sigjmp_buf walkFailed;

pid_t threadId() {
    return static_cast<pid_t>(::syscall(SYS_gettid));
}

struct Walk {
    std::optional<LoadedCode::Owner> owner;
    int frames = 0;
};

_Unwind_Reason_Code look(_Unwind_Context* context, void* argument) {
    auto& walk = *static_cast<Walk*>(argument);
    walk.owner = LoadedCode::at(_Unwind_GetIP(context));
    return walk.owner || ++walk.frames == mostFrames ? _URC_END_OF_STACK : _URC_NO_REASON;
}

/// The plugin that is innermost on this thread's stack. The stack may be damaged, so that walking over it
/// crashes again.
std::optional<LoadedCode::Owner> innermostCode() noexcept {
    static Walk walk;
    if (sigsetjmp(walkFailed, 1) == 0) {
        walking = 1;
        _Unwind_Backtrace(look, &walk);
    }
    walking = 0;
    return walk.owner;
}

/// What is written down.
struct Crash {
    timespec time;
    std::string_view signal;
    std::string_view plugin;  ///< empty: no plugin's code ran
    std::string_view version;
    std::string_view callback;  ///< empty: on a thread that the host did not send
    std::string_view calledBy;  ///< the plugin whose callback that is, if it is another
    std::string_view route;
    std::string_view request;
    const JobId* job;
    std::string_view error;
};

class Line {
public:
    Line(SignalText& text, bool json) : text_(text), json_(json) {}

    template <class F>
    void made(std::string_view name, F value) {
        text_.append(json_ ? (first_ ? "\"" : ",\"") : " ");
        text_.append(name);
        text_.append(json_ ? "\":\"" : "=\"");
        value(text_);
        text_.append('"');
        first_ = false;
    }
    void field(std::string_view name, std::string_view value) {
        if (!value.empty()) {
            made(name, [value](SignalText& text) { text.appendPlain(value); });
        }
    }

private:
    SignalText& text_;
    const bool json_;
    bool first_ = true;
};

void appendFields(Line& line, const Crash& crash) {
    line.field("plugin", crash.plugin);
    line.field("version", crash.version);
    line.field("callback", crash.callback);
    line.field("called_by", crash.calledBy);
    line.field("route", crash.route);
    line.field("request", crash.request);
    if (crash.job != nullptr) {
        line.made("job", [&](SignalText& text) { text.appendJob(*crash.job); });
    }
    line.field("signal", crash.signal);
    line.field("error", crash.error);
}

void writeLog(const Crash& crash) {
    const auto* const log = emergency.load();
    if (log == nullptr) {
        return;
    }
    static SignalText text;
    const std::string_view message = crash.plugin.empty() ? "the daemon crashed" : "a plugin crashed";
    const bool json = log->format == log::Format::json;
    Line line(text, json);
    if (json) {
        text.append('{');
        line.made("time", [&](SignalText& to) { to.appendTime(crash.time); });
        line.field("level", "error");
        line.field("component", "plugins");
        line.field("message", message);
    } else {
        text.append(log->journald ? "<2>" : "");
        text.appendTime(crash.time);
        text.append(" ERROR plugins: ");
        text.append(message);
    }
    appendFields(line, crash);
    text.append(json ? "}\n" : "\n");
    text.writeTo(log->descriptor);
}

void writeJournal(const Crash& crash) {
    static SignalText text;
    Line line(text, true);
    text.append('{');
    line.field("event", "crash");
    line.made("time", [&](SignalText& to) { to.appendTime(crash.time); });
    if (crash.plugin.empty()) {
        line.field("plugin", "sallyportd");
    }
    appendFields(line, crash);
    text.append("}\n");
    text.writeTo(journal);
}

/// What this thread was doing.
void describeThread(Crash& crash) {
    if (const auto* const entry = Entry::innermost()) {
        crash.plugin = entry->plugin().name;
        crash.version = entry->plugin().version;
        crash.callback = entry->callback();
        if (const auto& origin = entry->origin()) {
            crash.route = origin->label;
            crash.request = origin->id;
            crash.job = origin->job ? &*origin->job : nullptr;
        }
    }
    if (const auto code = innermostCode()) {
        if (code->plugin != crash.plugin) {
            crash.calledBy = crash.plugin;
        }
        crash.plugin = code->plugin;
        crash.version = code->version;
    }
    crash.error = reason.data();
}

/// A signal from outside says nothing about the thread that got it. It is a watchdog's, perhaps, and then
/// about what does not return.
void describeStuck(Crash& crash) {
    const auto* const call = SlowCalls::longest();
    if (call == nullptr) {
        return;
    }
    crash.plugin = call->plugin.data();
    crash.version = call->version.data();
    crash.callback = call->callback.data();
    crash.route = call->route.data();
    crash.request = call->request.data();
    crash.job = call->job ? &*call->job : nullptr;
    crash.error = "its code did not return, and the daemon was ended from outside";
}

void writeDown(int signal, const siginfo_t& info) {
    Crash crash{};
    ::clock_gettime(CLOCK_REALTIME, &crash.time);
    for (const auto& known : caught) {
        if (known.signal == signal) {
            crash.signal = known.name;
        }
    }
    const bool own = info.si_code > 0 || info.si_pid == ::getpid();
    if (own) {
        describeThread(crash);
    } else {
        describeStuck(crash);
    }
    writeLog(crash);
    if (own || !crash.plugin.empty()) {
        writeJournal(crash);
    }
}

/// @return an index that there is.
std::size_t indexOf(int signal) {
    for (std::size_t i = 0; i < caught.size(); ++i) {
        if (caught.at(i).signal == signal) {
            return i;
        }
    }
    return 0;
}

void onCrash(int signal, siginfo_t* info, void* /*context*/) {
    pid_t nobody = 0;
    if (crashing.compare_exchange_strong(nobody, threadId())) {
        writeDown(signal, *info);
    } else if (nobody == threadId()) {
        if (walking != 0) {
            siglongjmp(walkFailed, 1);
        }
    } else {
        // The process ends with the other thread's crash.
        for (;;) {
            ::pause();
        }
    }
    ::sigaction(signal, &formerActions.at(indexOf(signal)), nullptr);
    // What was sent does not happen again by itself, as a fault does.
    if (info->si_code <= 0) {
        ::syscall(SYS_tgkill, ::getpid(), threadId(), signal);
    }
}

void keepReason(std::string_view text) noexcept {
    const auto size = std::min(text.size(), reason.size() - 1);
    std::copy_n(text.data(), size, reason.data());
    reason.at(size) = '\0';
}

[[noreturn]] void onTerminate() {
    try {
        if (const auto error = std::current_exception()) {
            std::rethrow_exception(error);
        }
        keepReason("std::terminate was called");
    } catch (const Poco::Exception& error) {
        keepReason(error.message().empty() ? error.name() : error.message());
    } catch (const std::exception& error) {
        keepReason(error.what());
    } catch (...) {
        keepReason("an exception that is no std::exception");
    }
    std::abort();
}

/// The daemon itself leaves by the end of main, on the first thread.
void onExit() {
    if (emergency == nullptr || (Entry::innermost() == nullptr && threadId() == ::getpid())) {
        return;
    }
    keepReason("exit() was called");
    std::abort();
}

}  // namespace

CrashHandler::CrashHandler(const log::Emergency& log, int journalDescriptor) {
    emergency = &log;
    journal = journalDescriptor;
    static const AlternateStack stack;  // the first thread's
    // The unwinder is made ready now, for it may ask for memory the first time.
    Walk ignored;
    _Unwind_Backtrace(look, &ignored);
    struct sigaction action {};
    action.sa_sigaction = onCrash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < caught.size(); ++i) {
        ::sigaction(caught.at(i).signal, &action, &formerActions.at(i));
    }
    formerTerminate = std::set_terminate(onTerminate);
    static const bool registered = std::atexit(onExit) == 0;
    static_cast<void>(registered);
}

CrashHandler::~CrashHandler() {
    for (std::size_t i = 0; i < caught.size(); ++i) {
        ::sigaction(caught.at(i).signal, &formerActions.at(i), nullptr);
    }
    std::set_terminate(formerTerminate);
    emergency = nullptr;
    journal = -1;
}

}  // namespace sallyport::host::entry
