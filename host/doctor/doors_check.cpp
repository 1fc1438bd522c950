#include <cerrno>
#include <chrono>
#include <exception>
#include <fstream>
#include <optional>
#include <string>

#include <build_info.h>
#include <sys/stat.h>
#include <unistd.h>

#include <Poco/Exception.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>

#include "host/cli/connection.h"
#include "host/cli/failure.h"
#include "host/cli/locate.h"
#include "host/doctor/checks.h"
#include "host/store/database.h"
#include "host/store/new_file.h"

namespace sallyport::host::doctor {

namespace {

using namespace std::chrono_literals;
using Poco::Net::SocketAddress;

constexpr auto patience = 3s;
constexpr const char* runs = "daemon";

struct Door {
    std::string name;     ///< of the check
    std::string setting;  ///< where its address is configured
    std::string configured;
    std::string file;  ///< where a running daemon writes its address
};

/// The address that the daemon wrote, or else the one it was told.
std::string addressOf(const Door& door) {
    std::string line;
    if (std::getline(std::ifstream(door.file), line)) {
        return line;
    }
    if (door.configured.starts_with("unix:")) {
        return door.configured;
    }
    const std::string wildcard = "0.0.0.0:";
    return "http://" + (door.configured.starts_with(wildcard)
                            ? "127.0.0.1:" + door.configured.substr(wildcard.size())
                            : door.configured);
}

/// Why there is no right answer; empty if there is. No token is shown: it need not be the daemon who listens.
std::string problemOf(const std::string& address) {
    try {
        cli::Connection connection({cli::Address::parse(address), address, {}, {}}, patience);
        connection.ask("GET", "/health", {});
        return connection.readAll() == "ok" ? "" : address + " answers, but not as Sallyport does";
    } catch (const std::exception& problem) {
        return problem.what();
    }
}

/// @return whether it does.
bool checkAnswers(const Subject& subject, const Door& door, Report& report) {
    const std::string address = addressOf(door);
    const std::string problem = problemOf(address);
    if (problem.empty()) {
        report.ok(door.name, "answers at " + address);
        return true;
    }
    report.fail(door.name, "process " + std::to_string(*subject.process) + " runs, but: " + problem +
                               "; look into its log, and restart it: systemctl restart sallyport");
    return false;
}

std::string whyNotBound(const Door& door, int error) {
    switch (error) {
        case EADDRINUSE:
            return door.configured +
                   " is taken by another process: end that one (ss -lptn shows it), or let " + door.setting +
                   " be another";
        case EADDRNOTAVAIL:
            return "no interface of this machine has the address of " + door.configured + ": let " +
                   door.setting + " be another";
        case EACCES:
            return door.configured + " may not be listened on by " + currentAccount().name +
                   ": let the port of " + door.setting + " be one from 1024 up";
        default:
            return door.configured + " cannot be listened on (error " + std::to_string(error) + "): let " +
                   door.setting + " be another";
    }
}

/// As the daemon binds it, but without listening: nobody can connect meanwhile.
void checkPort(const Door& door, Report& report) {
    try {
        Poco::Net::ServerSocket().bind(SocketAddress(door.configured), true, false);
        report.ok(door.name, door.configured + " is free");
    } catch (const Poco::Exception& problem) {
        report.fail(door.name, whyNotBound(door, problem.code()));
    }
}

void checkSocket(const Door& door, Report& report) {
    const std::string path = door.configured.substr(std::string("unix:").size());
    struct stat status {};
    const bool there = ::lstat(path.c_str(), &status) == 0;
    if (there && !S_ISSOCK(status.st_mode)) {
        report.fail(door.name,
                    path + " is there and is no socket: remove it, or let " + door.setting + " be another");
        return;
    }
    try {
        if (there) {
            const Poco::Net::StreamSocket probe(SocketAddress(SocketAddress::UNIX_LOCAL, path));
            report.fail(door.name, whyNotBound(door, EADDRINUSE));
            return;
        }
    } catch (const Poco::Exception&) {
        // Nobody listens: the daemon replaces it.
    }
    if (::access(store::directoryOf(path).c_str(), W_OK | X_OK) != 0) {
        report.fail(door.name, "in " + store::directoryOf(path) + " no socket can be made by " +
                                   currentAccount().name + ": make that directory, and give it to that user");
        return;
    }
    report.ok(door.name, door.configured + " is free");
}

/// What the running daemon says of itself.
void checkStore(const json::Object& store, Report& report) {
    if (!cli::isTrue(store, "healthy")) {
        report.fail(runs, "the last write to the database failed: " +
                              cli::optionalText(store, "trouble").value_or("its log says why") +
                              "; requests that need it are refused until that is mended");
    }
    if (const auto unwritten = cli::numberOf(store, "unwritten"); unwritten > 0) {
        report.warn(runs, "the database has still to be told of " + std::to_string(unwritten) +
                              (unwritten == 1 ? " revocation" : " revocations") +
                              ", which holds until then: make room, and leave the daemon running");
    }
}

void ask(Subject& subject, Report& report) {
    try {
        cli::LocateOptions where;
        where.dataDir = subject.options.dataDirectory;
        where.tokenFile = subject.tokenFile;
        const cli::Environment none = [](const char*) { return std::nullopt; };
        const cli::Client door(cli::locate(where, none), patience);
        const cli::Answer status = door.get(cli::Target("/api/status"));
        subject.plugins = door.get(cli::Target("/api/plugins"));
        const std::string running = cli::textOf(status.object(), "version");
        if (running != version) {
            report.warn(runs, "version " + running + " runs, and " + version +
                                  " is installed: restart it (systemctl restart sallyport)");
        }
        checkStore(cli::objectOf(status.object(), "store"), report);
    } catch (const cli::Failure& failure) {
        report.warn(runs, std::string("it could not be asked how it is: ") + failure.what());
    }
}

/// Nothing, with a warning, for who may not see into the data directory.
std::optional<pid_t> findDaemon(const Subject& subject, Report& report) {
    try {
        return store::DirectoryLock::holder(subject.options.dataDirectory);
    } catch (const std::runtime_error& problem) {
        report.warn(runs, "whether it runs cannot be seen as " + subject.self.name + ": " + problem.what());
        return std::nullopt;
    }
}

}  // namespace

void checkDoors(Subject& subject, Report& report) {
    const Door worker{"worker door", "worker.listen", subject.options.worker.address,
                      subject.dataFile("worker.address")};
    const Door operators{"operator door", "operator.listen", subject.options.operators.address,
                         subject.dataFile("operator.address")};
    subject.process = findDaemon(subject, report);
    if (subject.process) {
        report.ok(runs, "process " + std::to_string(*subject.process) + " runs with " +
                            subject.options.dataDirectory);
        checkAnswers(subject, worker, report);
        if (checkAnswers(subject, operators, report)) {
            ask(subject, report);
        }
    } else if (subject.asDaemon()) {
        report.warn(runs, "does not run with " + subject.options.dataDirectory +
                              "; start it: systemctl start sallyport");
        for (const Door& door : {worker, operators}) {
            door.configured.starts_with("unix:") ? checkSocket(door, report) : checkPort(door, report);
        }
    } else {
        // Who may not see whether it runs can still knock.
        for (const Door& door : {worker, operators}) {
            const std::string problem = problemOf(addressOf(door));
            report.add(door.name, problem.empty() ? Verdict::ok : Verdict::warning,
                       problem.empty() ? "answers at " + addressOf(door) : problem);
        }
    }
}

std::optional<json::Object> Subject::told(std::string_view plugin) const {
    if (!plugins) {
        return std::nullopt;
    }
    for (const json::Value& element : cli::elementsOf(plugins->object(), "plugins")) {
        json::Object entry = element.object();
        if (cli::textOf(entry, "name") == plugin) {
            return entry;
        }
    }
    return std::nullopt;
}

}  // namespace sallyport::host::doctor
