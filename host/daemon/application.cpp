#include "host/daemon/application.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <utility>

#include <build_info.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include <Poco/Util/HelpFormatter.h>
#include <Poco/Util/Option.h>
#include <Poco/Util/OptionException.h>

#include <sallyport/errors.h>

#include "host/daemon/systemd.h"

namespace sallyport::host {

namespace {

using Poco::Util::Option;

/// The signals that are waited for; blocked in every thread.
sigset_t awaitedSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    return signals;
}

/// A connection costs a descriptor: take as many as are allowed.
void raiseDescriptorLimit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int complain(int code, const std::string& sentence) {
    std::cerr << "sallyportd: " << sentence << std::endl;
    return code;
}

}  // namespace

Application::Application(Check check) : checkSource_(std::move(check)) {
    setUnixOptions(true);
}

void Application::defineOptions(Poco::Util::OptionSet& options) {
    // Not ServerApplication's: forking into the background is the service manager's business.
    Poco::Util::Application::defineOptions(options);  // NOLINT(bugprone-parent-virtual-call)
    options.addOption(
        Option("config", "c", "read this properties file instead of " + std::string(installedConfiguration))
            .argument("FILE"));
    options.addOption(Option("define", "D", "override a key of the file; can be given more than once")
                          .argument("KEY=VALUE")
                          .repeatable(true));
    options.addOption(
        Option("check-config", "t", "read and check the configuration, say what is wrong, and end"));
    options.addOption(Option("help", "h", "show this text"));
    options.addOption(Option("version", "V", "show the version"));
}

void Application::handleOption(const std::string& name, const std::string& value) {
    if (name == "config") {
        source_.file = value;
        configured_ = true;
    } else if (name == "define") {
        const auto equals = value.find('=');
        if (equals == std::string::npos || equals == 0) {
            throw Poco::Util::InvalidArgumentException("-D takes KEY=VALUE, not \"" + value + "\"");
        }
        source_.overrides.emplace_back(value.substr(0, equals), value.substr(equals + 1));
    } else if (name == "check-config") {
        check_ = true;
    } else if (name == "help") {
        help_ = true;
        stopOptionsProcessing();
    } else if (name == "version") {
        version_ = true;
        stopOptionsProcessing();
    }
}

void Application::printHelp() {
    Poco::Util::HelpFormatter formatter(options());
    formatter.setUnixStyle(true);
    formatter.setAutoIndent();
    formatter.setCommand("sallyportd");
    formatter.setUsage("[OPTIONS]");
    formatter.setHeader(
        "The guarded door between sandboxed agents and their host: serves jobs to workers and to operators.");
    formatter.setFooter(
        "SIGHUP reloads plugins and log settings; SIGTERM lets requests in flight finish and ends. "
        "ORCHESTRATOR_PORT in the environment replaces the ports of worker.listen. "
        "See sallyportd(8).");
    formatter.format(std::cout);
}

int Application::runWith(int argc, char** argv) {
    try {
        init(argc, argv);
    } catch (const Poco::Exception& error) {
        return complain(EX_USAGE, error.displayText() + "\nTry 'sallyportd --help'.");
    }
    return run();
}

int Application::main(const ArgVec& arguments) {
    if (help_) {
        printHelp();
        return EX_OK;
    }
    if (version_) {
        std::cout << "sallyportd " << version << std::endl;
        return EX_OK;
    }
    if (!arguments.empty()) {
        return complain(EX_USAGE,
                        "unexpected argument \"" + arguments.front() + "\"\nTry 'sallyportd --help'.");
    }
    if (!configured_ && std::filesystem::exists(installedConfiguration)) {
        source_.file = installedConfiguration;
    }
    try {
        return check_ ? checkConfiguration() : serve();
    } catch (const config::BadValue& error) {
        return complain(EX_CONFIG, error.what());
    } catch (const StoreError& error) {
        return complain(EX_UNAVAILABLE, error.detail());
    } catch (const Poco::Exception& error) {
        return complain(EX_SOFTWARE, error.displayText());
    } catch (const std::exception& error) {
        return complain(EX_UNAVAILABLE, error.what());
    }
}

int Application::checkConfiguration() {
    for (const auto& sentence : checkSource_(source_)) {
        std::cerr << "sallyportd: warning: " << sentence << std::endl;
    }
    std::cout << (source_.file.empty() ? std::string("defaults") : source_.file)
              << ": the configuration is good" << std::endl;
    return EX_OK;
}

int Application::serve() {
    const auto signals = awaitedSignals();
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    // A file that has reached its size limit is an error to handle, not a reason to die.
    std::signal(SIGXFSZ, SIG_IGN);
    raiseDescriptorLimit();

    Daemon daemon(source_, systemd::inheritedSockets());
    daemon.serve();
    systemd::notifyReady(daemon.summary());
    waitForSignals(daemon);
    systemd::notifyStopping();
    if (!daemon.shutDown()) {
        // Destructors, of static objects too, would run under code that goes on.
        ::_exit(EX_OK);
    }
    return EX_OK;
}

void Application::waitForSignals(Daemon& daemon) {
    const auto signals = awaitedSignals();
    const auto watchdog = systemd::watchdogInterval();
    for (;;) {
        int signal = 0;
        if (watchdog) {
            const auto pause = *watchdog / 2;
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(pause);
            const timespec wait{seconds.count(), std::chrono::nanoseconds(pause - seconds).count()};
            signal = ::sigtimedwait(&signals, nullptr, &wait);
            // A daemon that does not serve is better restarted: it stays silent then.
            if (signal < 0 &&
                daemon.responsive(std::chrono::duration_cast<std::chrono::milliseconds>(pause))) {
                systemd::notifyWatchdog();
            }
        } else {
            ::sigwait(&signals, &signal);
        }
        if (signal == SIGTERM || signal == SIGINT) {
            return;
        }
        if (signal == SIGHUP) {
            systemd::notifyReloading();
            daemon.reload();
            systemd::notifyReady(daemon.summary());
        }
    }
}

}  // namespace sallyport::host
