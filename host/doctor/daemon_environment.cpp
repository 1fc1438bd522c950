#include "host/doctor/daemon_environment.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <unistd.h>

#include "host/store/database.h"

namespace sallyport::host::doctor {

namespace {

namespace fs = std::filesystem;
using Presence = Examination::Given::Presence;

/// Where the packaged unit has its credentials from, and the data directory of that unit.
constexpr const char* plainStore = "/etc/credstore";
constexpr const char* encryptedStore = "/etc/credstore.encrypted";
constexpr const char* unitsDirectory = "/var/lib/sallyport";
/// What credentials of ours are called.
constexpr const char* ourPrefix = "sallyport-";

/// Of a credential. systemd takes no larger ones, all together.
constexpr std::streamsize mostBytes = std::streamsize{1} << 20U;

SecretText read(const fs::path& file) {
    std::ifstream input(file, std::ios::binary);
    SecretText buffer(static_cast<std::size_t>(mostBytes));
    input.read(buffer.bytes().data(), mostBytes);
    return SecretText::copyOf(buffer.reveal().substr(0, static_cast<std::size_t>(input.gcount())));
}

/// Those of ours that can be seen.
std::vector<fs::path> credentialsIn(const fs::path& directory) {
    std::vector<fs::path> files;
    std::error_code unseen;
    for (const auto& entry : fs::directory_iterator(directory, unseen)) {
        if (entry.path().filename().string().starts_with(ourPrefix) && entry.is_regular_file(unseen)) {
            files.push_back(entry.path());
        }
    }
    return files;
}

/// The names alone: the values may be keys. Only root sees them, because the daemon closes its memory.
std::optional<std::set<std::string>> variablesOf(pid_t process) {
    std::ifstream input("/proc/" + std::to_string(process) + "/environ", std::ios::binary);
    if (!input) {
        return std::nullopt;
    }
    std::set<std::string> names;
    std::string entry;
    while (std::getline(input, entry, '\0')) {
        names.insert(entry.substr(0, entry.find('=')));
        wipe(entry);
    }
    return names;
}

}  // namespace

DaemonEnvironment DaemonEnvironment::around(const std::string& dataDirectory) {
    DaemonEnvironment environment;
    if (const char* const handedOver = std::getenv("CREDENTIALS_DIRECTORY")) {
        for (const fs::path& file : credentialsIn(handedOver)) {
            environment.credentials_.emplace(file.filename(), read(file));
        }
    } else if (dataDirectory == unitsDirectory) {
        environment.lookIntoStores();
    }
    if (::geteuid() == 0) {
        if (const auto process = store::DirectoryLock::holder(dataDirectory)) {
            environment.variables_ = variablesOf(*process);
        }
    }
    return environment;
}

void DaemonEnvironment::lookIntoStores() {
    if (::geteuid() != 0) {
        std::error_code unseen;
        credentialsHidden_ = fs::exists(plainStore, unseen) || fs::exists(encryptedStore, unseen);
        return;
    }
    for (const fs::path& file : credentialsIn(plainStore)) {
        credentials_.emplace(file.filename(), read(file));
    }
    for (const fs::path& file : credentialsIn(encryptedStore)) {
        encrypted_.insert(file.filename());
    }
}

DaemonEnvironment::Given DaemonEnvironment::credential(std::string_view name) const {
    if (const auto found = credentials_.find(name); found != credentials_.end()) {
        return {Presence::present, SecretText::copyOf(found->second.reveal())};
    }
    const bool maybe = credentialsHidden_ || encrypted_.contains(name);
    return {maybe ? Presence::unseen : Presence::absent, std::nullopt};
}

DaemonEnvironment::Given DaemonEnvironment::variable(const std::string& name, bool runs) const {
    if (runs && variables_) {
        return {variables_->contains(name) ? Presence::present : Presence::absent, std::nullopt};
    }
    const char* const value = runs ? nullptr : std::getenv(name.c_str());
    if (value == nullptr) {
        return {Presence::unseen, std::nullopt};
    }
    return {Presence::present, SecretText::copyOf(value)};
}

}  // namespace sallyport::host::doctor
