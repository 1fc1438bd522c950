#include "host/trust/trust.h"

#include <cerrno>
#include <system_error>

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

}  // namespace

void Trust::requireFile(int descriptor, const std::string& path) const {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0)
        throw Untrusted(path + " cannot be looked at: " + reason());
    requireOwner(status, path);
    requireClosed(status, path);
    requireWay(path);
}

void Trust::requireDirectory(const std::string& directory) const {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0)
        throw Untrusted(directory + " cannot be looked at: " + reason());
    if (!S_ISDIR(status.st_mode))
        throw Untrusted(directory + " is no directory");
    requireOwner(status, directory);
    requireClosed(status, directory);
    requireWay(directory);
}

void Trust::requireWay(const std::string& path) const {
    for (const auto& [directory, name] : stepsTo(path)) {
        struct stat status {};
        if (::stat(directory.c_str(), &status) != 0)
            throw Untrusted(directory + " cannot be looked at: " + reason());
        requireOwner(status, directory);
        if ((status.st_mode & S_ISVTX) == 0) {
            requireClosed(status, directory);
            continue;
        }
        const auto entry = directory + "/" + name;
        if (othersMayWrite(status) && ::lstat(entry.c_str(), &status) == 0)
            requireOwner(status, entry);
    }
}

void Trust::requireOwner(const struct stat& status, const std::string& path) const {
    if (status.st_uid == 0 || status.st_uid == user_)
        return;
    const std::string daemon = user_ == 0 ? "" : " nor the daemon's, " + std::to_string(user_);
    throw Untrusted(path + " belongs to user " + std::to_string(status.st_uid) + ", which is not root" +
                    daemon + "; run chown root " + path);
}

void Trust::requireClosed(const struct stat& status, const std::string& path) const {
    if (othersMayWrite(status))
        throw Untrusted("others may write to " + path + "; run chmod go-w " + path);
}

uid_t daemonUser(const std::string& dataDirectory) {
    struct stat status {};
    return ::stat(dataDirectory.c_str(), &status) == 0 ? status.st_uid : ::geteuid();
}

}  // namespace sallyport::host::trust
