#include "host/trust/trust.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>
#include <vector>

#include "host/trust/steps.h"

namespace sallyport::host::trust {

namespace {

std::string reason() {
    return std::generic_category().message(errno);
}

bool othersMayWrite(const struct stat& status) {
    // A device such as /dev/null is the same to everybody.
    return !S_ISCHR(status.st_mode) && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/// The way to the executable that this is.
struct OwnWay {
    std::vector<Step> steps;
    std::set<std::string> open;  ///< directories without the sticky bit
    std::set<uid_t> owners;      ///< of them all, and of the executable
};

/// Whoever can replace the executable need not go about it by way of a plugin. So a tree that somebody built
/// for trial, in a group's folder or as another user than the one who runs it, is no worse than it is anyway.
const OwnWay& ownWay() {
    static const OwnWay way = [] {
        OwnWay own;
        std::error_code error;
        const std::string executable = std::filesystem::read_symlink("/proc/self/exe", error);
        struct stat status {};
        if (error || ::stat(executable.c_str(), &status) != 0) {
            return own;
        }
        own.owners.insert(status.st_uid);
        own.steps = stepsTo(executable);
        for (const auto& step : own.steps) {
            if (::stat(step.directory.c_str(), &status) != 0) {
                continue;
            }
            own.owners.insert(status.st_uid);
            if ((status.st_mode & S_ISVTX) == 0) {
                own.open.insert(step.directory);
            }
        }
        return own;
    }();
    return way;
}

bool isOwn(const Step& step) {
    const auto& own = ownWay();
    return own.open.contains(step.directory) ||
           std::find(own.steps.begin(), own.steps.end(), step) != own.steps.end();
}

}  // namespace

void Trust::requireFile(int descriptor, const std::string& path) const {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        throw Untrusted(path + " cannot be looked at: " + reason());
    }
    requireOwner(status, path);
    requireClosed(status, path);
    requireWay(path);
}

void Trust::requireDirectory(const std::string& directory) const {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) {
        throw Untrusted(directory + " cannot be looked at: " + reason());
    }
    if (!S_ISDIR(status.st_mode)) {
        throw Untrusted(directory + " is no directory");
    }
    requireOwner(status, directory);
    requireClosed(status, directory);
    requireWay(directory);
}

void Trust::requireWay(const std::string& path) const {
    for (const auto& step : stepsTo(path)) {
        if (isOwn(step)) {
            continue;
        }
        const auto& [directory, name] = step;
        struct stat status {};
        if (::stat(directory.c_str(), &status) != 0) {
            throw Untrusted(directory + " cannot be looked at: " + reason());
        }
        requireOwner(status, directory);
        if ((status.st_mode & S_ISVTX) == 0) {
            requireClosed(status, directory);
            continue;
        }
        const auto entry = std::string(directory).append("/").append(name);
        if (othersMayWrite(status) && ::lstat(entry.c_str(), &status) == 0) {
            requireOwner(status, entry);
        }
    }
}

void Trust::requireOwner(const struct stat& status, const std::string& path) const {
    if (status.st_uid == 0 || status.st_uid == user_ || ownWay().owners.contains(status.st_uid)) {
        return;
    }
    const std::string daemon = user_ == 0 ? "" : " nor the daemon's, " + std::to_string(user_);
    throw Untrusted(path + " belongs to user " + std::to_string(status.st_uid) + ", which is not root" +
                    daemon + "; run chown root " + path);
}

void Trust::requireClosed(const struct stat& status, const std::string& path) const {
    if (othersMayWrite(status)) {
        throw Untrusted("others may write to " + path + "; run chmod go-w " + path);
    }
}

uid_t daemonUser(const std::string& dataDirectory) {
    struct stat status {};
    return ::stat(dataDirectory.c_str(), &status) == 0 ? status.st_uid : ::geteuid();
}

}  // namespace sallyport::host::trust
