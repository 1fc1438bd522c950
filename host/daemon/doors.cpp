#include "host/daemon/doors.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>

#include <sys/stat.h>
#include <unistd.h>

namespace sallyport::host {

namespace {

using http::ListenAddress;
using http::ListeningSocket;

/// By this name the service manager has the door's sockets.
const char* nameOf(Realm door) {
    return door == Realm::worker ? "worker" : "operator";
}

/// One socket that there shall be.
struct Wanted {
    Realm door;
    ListenAddress address;
    ListeningSocket::Options options;
    std::optional<FileDescriptor> inherited{};
};

/// Where an IPv4 address has the same port `[::]` leaves that to it.
bool leavesIpv4(const ListenAddress& address, const std::vector<ListenAddress>& all) {
    return !address.isUnix() && address.port() != 0 && std::ranges::any_of(all, [&](const auto& other) {
        return other.port() == address.port() &&
               other.socketAddress().family() == Poco::Net::SocketAddress::IPv4;
    });
}

void addWanted(std::vector<Wanted>& wanted, Realm door, const ListenOptions& listen) {
    for (const auto& address : listen.addresses) {
        wanted.push_back({door, address, {listen.socketMode, leavesIpv4(address, listen.addresses)}});
    }
}

/// Whether nobody else can put a socket there.
bool isOurs(const std::string& directory) {
    struct stat status {};
    return ::stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
           status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/// Where the command line's socket may be, the best place first.
std::vector<Wanted> placesForCommandSocket(const HostOptions& options) {
    const char* const given = std::getenv("RUNTIME_DIRECTORY");
    std::string runtime = given != nullptr ? given : "/run/sallyport";
    runtime.resize(std::min(runtime.find(':'), runtime.size()));
    std::vector<std::string> directories{std::filesystem::absolute(options.dataDirectory)};
    if (isOurs(runtime)) {
        directories.insert(directories.begin(), runtime);
    }
    std::vector<Wanted> places;
    for (const auto& directory : directories) {
        if (const auto address = ListenAddress::parse("unix:" + directory + "/operator.sock")) {
            places.push_back({Realm::operators, *address, {options.operators.socketMode, false}});
        }
    }
    return places;
}

bool isSame(const FileDescriptor& one, const FileDescriptor& other) {
    struct stat first {};
    struct stat second {};
    return ::fstat(one.get(), &first) == 0 && ::fstat(other.get(), &second) == 0 &&
           first.st_ino == second.st_ino && first.st_dev == second.st_dev;
}

/// Gives each the inherited socket that listens there. A free port is kept by the door that had it.
void distribute(std::vector<systemd::Inherited>& inherited, std::vector<Wanted>& wanted) {
    for (auto& want : wanted) {
        const auto fits = [&](const systemd::Inherited& socket) {
            return (want.address.isUnix() || want.address.port() != 0 || socket.name == nameOf(want.door)) &&
                   ListeningSocket::matches(socket.descriptor.get(), want.address, want.options);
        };
        const auto found = std::ranges::find_if(inherited, fits);
        if (found == inherited.end()) {
            continue;
        }
        want.inherited.emplace(std::move(found->descriptor));
        // A socket unit's is in the descriptor store as well.
        for (auto& other : inherited) {
            if (isSame(other.descriptor, *want.inherited)) {
                other.descriptor.close();
            }
        }
    }
}

bool isKeptByUs(const systemd::Inherited& socket) {
    return socket.name == nameOf(Realm::worker) || socket.name == nameOf(Realm::operators);
}

/// Those that `distribute` has left.
void closeUnmatched(std::vector<systemd::Inherited> inherited, Logger& log) {
    for (const auto& socket : inherited) {
        if (!socket.descriptor.open()) {
            continue;
        }
        log.warn("an inherited socket was closed: the configuration does not name it",
                 {{"name", socket.name}, {"socket", http::describeSocket(socket.descriptor.get())}});
        // The service manager has a copy until it comes to `forget`: neither may that keep the port, nor may
        // clients wait in it for nobody. One of a socket unit is the unit's to end.
        if (isKeptByUs(socket)) {
            http::endListening(socket.descriptor.get());
        }
    }
}

ListeningSocket opened(Wanted& want, Logger& log) {
    if (want.inherited) {
        log.info("goes on with an inherited socket", {{"address", want.address.text()}});
        return {std::move(*want.inherited), want.address, want.options};
    }
    if (!want.address.isPresent()) {
        log.warn("no interface of this machine has the address yet", {{"address", want.address.text()}});
    }
    return {want.address, want.options};
}

/// At the best place that can be had: another daemon of the same user may have that one.
std::optional<ListeningSocket> openedAtOneOf(std::vector<Wanted>& places, Logger& log) {
    std::string problem = "the path of data.dir is too long";
    for (auto& place : places) {
        try {
            return opened(place, log);
        } catch (const std::runtime_error& error) {
            problem = error.what();
        }
    }
    log.warn("there is no socket for the command line: name one in operator.listen", {{"reason", problem}});
    return std::nullopt;
}

}  // namespace

Doors::Doors(const HostOptions& options, std::vector<systemd::Inherited> inherited, Logger& log)
    : options_(options) {
    std::vector<Wanted> wanted;
    addWanted(wanted, Realm::worker, options.worker);
    addWanted(wanted, Realm::operators, options.operators);
    const bool named = std::ranges::any_of(options.operators.addresses, &ListenAddress::isUnix);
    auto places = named ? std::vector<Wanted>() : placesForCommandSocket(options);

    const bool hadSome = std::ranges::any_of(inherited, isKeptByUs);
    distribute(inherited, wanted);
    distribute(inherited, places);
    closeUnmatched(std::move(inherited), log);
    for (auto& want : wanted) {
        (want.door == Realm::worker ? worker_ : operators_).add(opened(want, log));
    }
    if (!named) {
        if (auto socket = openedAtOneOf(places, log)) {
            operators_.add(std::move(*socket));
        }
    }
    findCommandSocket();

    // What is kept from now on, and nothing else.
    for (const auto door : {Realm::worker, Realm::operators}) {
        if (hadSome) {
            systemd::forget(nameOf(door));
        }
        for (const auto& socket : (door == Realm::worker ? worker_ : operators_).sockets) {
            systemd::keep(nameOf(door), socket.descriptor());
        }
    }
}

void Doors::Door::add(ListeningSocket socket) {
    urls.push_back(socket.url());
    sockets.push_back(std::move(socket));
}

void Doors::findCommandSocket() {
    const auto isUnix = [](const std::string& url) { return url.starts_with("unix:"); };
    const auto found = std::ranges::find_if(operators_.urls, isUnix);
    if (found != operators_.urls.end()) {
        commandSocket_ = *found;
    }
}

void Doors::open(http::Server& server) {
    server.open(options_.worker.door, std::move(worker_.sockets));
    server.open(options_.operators.door, std::move(operators_.sockets));
}

}  // namespace sallyport::host
