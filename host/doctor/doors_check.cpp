#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <build_info.h>
#include <sys/stat.h>
#include <unistd.h>

#include <Poco/Exception.h>
#include <Poco/Net/ServerSocket.h>

#include <sallyport/new_file.h>

#include "host/client/failure.h"
#include "host/client/http_exchange.h"
#include "host/client/locate.h"
#include "host/doctor/checks.h"
#include "host/http/listen_address.h"
#include "host/http/listening_socket.h"
#include "host/store/database.h"

namespace sallyport::host::doctor {

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 3s;
constexpr const char* runs = "daemon";

struct Door {
    std::string name;     ///< of the check
    std::string setting;  ///< where its addresses are configured
    std::vector<http::ListenAddress> configured;
    std::string file;                 ///< where a running daemon writes the first
    std::vector<std::string> told{};  ///< by the running daemon, if it could be asked
};

std::string urlOf(const http::ListenAddress& address) {
    if (address.isUnix()) {
        return address.text();
    }
    const std::string wildcard = "0.0.0.0:";
    return "http://" + (address.text().starts_with(wildcard)
                            ? "127.0.0.1:" + address.text().substr(wildcard.size())
                            : address.text());
}

/// Empty if it cannot be read.
std::string firstLine(const std::string& file) {
    std::string line;
    std::getline(std::ifstream(file), line);
    return line;
}

/// The addresses that the daemon told, or else the first as it wrote it and the others as configured.
std::vector<std::string> addressesOf(const Door& door) {
    if (!door.told.empty()) {
        return door.told;
    }
    std::vector<std::string> addresses;
    for (const auto& address : door.configured) {
        addresses.push_back(urlOf(address));
    }
    if (const std::string line = firstLine(door.file); !line.empty()) {
        addresses.front() = line;
    }
    return addresses;
}

/// Why there is no right answer; empty if there is. No token is shown: it need not be the daemon who listens.
std::string problemOf(const std::string& address) {
    try {
        client::HttpExchange exchange({.address = client::Address::parse(address),
                                       .addressOrigin = address,
                                       .token = {},
                                       .tokenOrigin = {}},
                                      patience);
        exchange.ask("GET", "/health", {});
        return exchange.readAll() == "ok" ? "" : address + " answers, but not as Sallyport does";
    } catch (const std::exception& problem) {
        return problem.what();
    }
}

std::string absent(const std::string& address, const Door& door) {
    return "no interface of this machine has the address of " + address +
           ": nobody comes in there until one has; or let " + door.setting + " be another";
}

/// Knocking at an address that is not this machine's would be knocking at somebody else's door.
bool isPresent(const std::string& url) {
    const std::string http = "http://";
    const auto address = http::ListenAddress::parse(url.starts_with(http) ? url.substr(http.size()) : url);
    return !address || address->isPresent();
}

void checkAnswers(const Subject& subject, const Door& door, Report& report) {
    for (const std::string& address : addressesOf(door)) {
        if (!isPresent(address)) {
            report.fail(door.name, absent(address, door));
        } else if (const std::string problem = problemOf(address); problem.empty()) {
            report.ok(door.name, "answers at " + address);
        } else {
            report.fail(door.name, "process " + std::to_string(*subject.process) + " runs, but: " + problem +
                                       "; look into its log, and restart it: systemctl restart sallyport");
        }
    }
}

std::string taken(const std::string& address, const Door& door) {
    return address + " is taken by another process: end that one (ss -lptn shows it), or let " +
           door.setting + " be another";
}

std::string whyNotBound(const std::string& address, const Door& door, int error) {
    switch (error) {
        case EADDRINUSE:
            return taken(address, door);
        case EADDRNOTAVAIL:
            return absent(address, door);
        case EACCES:
            return address + " may not be listened on by " + currentAccount().name + ": let the port of " +
                   door.setting + " be one from 1024 up";
        default:
            return address + " cannot be listened on (error " + std::to_string(error) + "): let " +
                   door.setting + " be another";
    }
}

/// As the daemon binds it, but without listening: nobody can connect meanwhile.
void checkPort(const http::ListenAddress& address, const Door& door, Report& report) {
    try {
        Poco::Net::ServerSocket().bind(address.socketAddress(), true, false);
        report.ok(door.name, address.text() + " is free");
    } catch (const Poco::Exception& problem) {
        report.fail(door.name, whyNotBound(address.text(), door, problem.code()));
    }
}

void checkSocket(const http::ListenAddress& address, const Door& door, Report& report) {
    const std::string& path = address.path();
    struct stat status {};
    const bool there = ::lstat(path.c_str(), &status) == 0;
    if (there && !S_ISSOCK(status.st_mode)) {
        report.fail(door.name,
                    path + " is there and is no socket: remove it, or let " + door.setting + " be another");
    } else if (there && http::listensAt(path)) {
        report.fail(door.name, taken(address.text(), door));
    } else if (::access(directoryOf(path).c_str(), W_OK | X_OK) != 0) {
        report.fail(door.name, "in " + directoryOf(path) + " no socket can be made by " +
                                   currentAccount().name + ": make that directory, and give it to that user");
    } else {
        report.ok(door.name, address.text() + " is free");
    }
}

void checkFree(const Door& door, Report& report) {
    for (const auto& address : door.configured) {
        address.isUnix() ? checkSocket(address, door, report) : checkPort(address, door, report);
    }
}

/// From outside, for who may not see whether the daemon runs.
void knock(const Door& door, Report& report) {
    for (const std::string& address : addressesOf(door)) {
        const std::string problem = isPresent(address) ? problemOf(address) : absent(address, door);
        report.add(door.name, problem.empty() ? Verdict::ok : Verdict::warning,
                   problem.empty() ? "answers at " + address : problem);
    }
}

/// All addresses that a running daemon listens on in that realm.
std::vector<std::string> listenersOf(const client::Answer& status, std::string_view realm) {
    std::vector<std::string> addresses;
    for (const json::Value& element : client::elementsOf(status.object(), "listeners")) {
        const json::Object listener = element.object();
        if (client::textOf(listener, "realm") == realm) {
            addresses.push_back(client::textOf(listener, "address"));
        }
    }
    return addresses;
}

void checkStore(const json::Object& store, Report& report) {
    if (!client::isTrue(store, "healthy")) {
        report.fail(runs, "the last write to the database failed: " +
                              client::optionalText(store, "trouble").value_or("its log says why") +
                              "; requests that need it are refused until that is mended");
    }
    if (const auto unwritten = client::numberOf(store, "unwritten"); unwritten > 0) {
        report.warn(runs, "the database has still to be told of " + std::to_string(unwritten) +
                              (unwritten == 1 ? " revocation" : " revocations") +
                              ", which holds until then: make room, and leave the daemon running");
    }
}

/// What the running daemon says of itself.
void ask(Subject& subject, Door& worker, Door& operators, Report& report) {
    try {
        client::LocateOptions where;
        where.dataDir = subject.options.dataDirectory;
        where.tokenFile = subject.tokenFile;
        const client::Environment none = [](const char*) { return std::nullopt; };
        const client::Client door(client::locate(where, none), patience);
        const client::Answer status = door.get(client::Target("/api/status"));
        subject.plugins = door.get(client::Target("/api/plugins"));
        worker.told = listenersOf(status, "worker");
        operators.told = listenersOf(status, "operator");
        // Which a daemon does not tell if it is beside the data.
        const std::string socket = firstLine(subject.dataFile("operator.socket"));
        if (!socket.empty() && std::ranges::find(operators.told, socket) == operators.told.end()) {
            operators.told.push_back(socket);
        }
        const std::string running = client::textOf(status.object(), "version");
        if (running != version) {
            report.warn(runs, "version " + running + " runs, and " + version +
                                  " is installed: restart it (systemctl restart sallyport)");
        }
        checkStore(client::objectOf(status.object(), "store"), report);
    } catch (const client::Failure& failure) {
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
    Door worker{"worker door", "worker.listen", subject.options.worker.addresses,
                subject.dataFile("worker.address")};
    Door operators{"operator door", "operator.listen", subject.options.operators.addresses,
                   subject.dataFile("operator.address")};
    subject.process = findDaemon(subject, report);
    if (subject.process) {
        report.ok(runs, "process " + std::to_string(*subject.process) + " runs with " +
                            subject.options.dataDirectory);
        if (problemOf(addressesOf(operators).front()).empty()) {
            ask(subject, worker, operators, report);
        }
        checkAnswers(subject, worker, report);
        checkAnswers(subject, operators, report);
    } else if (subject.asDaemon()) {
        report.warn(runs, "does not run with " + subject.options.dataDirectory +
                              "; start it: systemctl start sallyport");
        checkFree(worker, report);
        checkFree(operators, report);
    } else {
        knock(worker, report);
        knock(operators, report);
    }
}

std::optional<Examination::Running> Subject::told(std::string_view plugin) const {
    if (!plugins) {
        return std::nullopt;
    }
    for (const json::Value& element : client::elementsOf(plugins->object(), "plugins")) {
        const json::Object entry = element.object();
        if (client::textOf(entry, "name") == plugin && client::textOf(entry, "state") == "running") {
            return Examination::Running{client::optionalText(entry, "trouble")};
        }
    }
    return std::nullopt;
}

}  // namespace sallyport::host::doctor
