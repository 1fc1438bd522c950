#include "tests/support/daemon.h"

#include <csignal>
#include <exception>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "tests/support/deadline.h"

namespace sallyport::tests {

namespace {

std::vector<std::string>& failureList() {
    static std::vector<std::string> list;
    return list;
}

auto& sharedDaemons() {
    static std::map<std::map<std::string, std::string>, Daemon> daemons;
    return daemons;
}

Endpoint addressIn(const std::filesystem::path& file) {
    std::string line = readFile(file);
    while (!line.empty() && line.back() == '\n') {
        line.pop_back();
    }
    return Endpoint(line);
}

}  // namespace

Daemon::Daemon() : Daemon(Options{}) {}

Daemon::Daemon(Options options)
    : options_(std::move(options)), notifications_(directory_ / "notify", options_.keepsSockets) {
    writeFile(directory_ / "sallyport.properties", "");
    start();
}

Daemon::~Daemon() {
    if (!process_) {
        return;
    }
    try {
        if (const int status = terminate(); status != 0) {
            failureList().push_back("a daemon ended with " + std::to_string(status) + ":\n" + log());
        }
    } catch (const std::exception& error) {
        failureList().push_back("a daemon did not end: " + std::string(error.what()) + '\n' + log());
    }
}

Command Daemon::command() const {
    Command command{SALLYPORTD_PATH, {}, options_.environment, directory_ / "stderr.log"};
    command.environment["NOTIFY_SOCKET"] = notifications_.path().string();
    std::map<std::string, std::string> settings{
        {"data.dir", dataDirectory().string()},
        {"plugins.dir", SALLYPORT_PLUGIN_PATH},
        {"worker.listen", "127.0.0.1:0"},
        {"operator.listen", "127.0.0.1:0"},
    };
    for (const auto& [key, value] : options_.settings) {
        settings[key] = value;
    }
    command.arguments.push_back("--config=" + (directory_ / "sallyport.properties").string());
    for (const auto& [key, value] : settings) {
        command.arguments.push_back(std::string("-D").append(key).append("=").append(value));
    }
    command.arguments.insert(command.arguments.end(), options_.arguments.begin(), options_.arguments.end());
    if (!options_.wrapper.empty()) {
        command.arguments.insert(command.arguments.begin(), command.program);
        command.program = options_.wrapper.front();
        command.arguments.insert(command.arguments.begin(), options_.wrapper.begin() + 1,
                                 options_.wrapper.end());
    }
    return command;
}

void Daemon::start() {
    notifications_.discard();
    Command start = command();
    for (const KeptSocket& kept : notifications_.kept()) {
        start.sockets.push_back({kept.name, kept.descriptor.get()});
    }
    process_ = std::make_unique<Process>(start);
    bool ready = false;
    std::string problem = "the daemon ended before it was ready";
    try {
        ready = notifications_.await("READY=1", *process_);
    } catch (const TimedOut& error) {
        problem = error.what();
    }
    if (!ready) {
        process_.reset();
        throw std::runtime_error(problem + ":\n" + log());
    }
}

Endpoint Daemon::worker() const {
    return addressIn(dataDirectory() / "worker.address");
}

Endpoint Daemon::operators() const {
    return addressIn(dataDirectory() / "operator.address");
}

std::string Daemon::operatorToken() const {
    const std::string content = readFile(dataDirectory() / "operator.token");
    return content.substr(0, content.find('\n'));
}

void Daemon::beginTermination() {
    process_->signal(SIGTERM);
}

int Daemon::awaitExit() {
    const std::unique_ptr<Process> ending = std::move(process_);
    return ending->wait();
}

int Daemon::terminate() {
    beginTermination();
    return awaitExit();
}

void Daemon::kill() {
    process_->signal(SIGKILL);
    awaitExit();
}

void Daemon::reload() {
    notifications_.discard();
    process_->signal(SIGHUP);
    awaitNotification("RELOADING=1");
    awaitNotification("READY=1");
}

void Daemon::awaitNotification(std::string_view line) {
    if (!notifications_.await(line, *process_)) {
        throw std::runtime_error("the daemon ended before it notified " + std::string(line) + ":\n" + log());
    }
}

void Daemon::awaitLog(std::string_view text, std::size_t from) const {
    awaitText(directory_ / "stderr.log", text, from);
}

std::string Daemon::log() const {
    return readFile(directory_ / "stderr.log");
}

std::size_t Daemon::threads() const {
    const std::filesystem::directory_iterator tasks("/proc/" + std::to_string(pid()) + "/task");
    return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

pid_t Daemon::pid() const {
    return process_->pid();
}

std::vector<std::string> Daemon::failures() {
    return failureList();
}

Daemon& sharedDaemon(const std::map<std::string, std::string>& settings) {
    return sharedDaemons().try_emplace(settings, Daemon::Options{settings}).first->second;
}

void endSharedDaemons() {
    sharedDaemons().clear();
}

}  // namespace sallyport::tests
