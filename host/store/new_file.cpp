#include "host/store/new_file.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace sallyport::host::store {

namespace {

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
    throw std::runtime_error("\"" + path + "\" " + problem + ": " + std::generic_category().message(errno));
}

void syncOpened(const std::string& path, int flags) {
    const int descriptor = ::open(path.c_str(), flags | O_RDONLY | O_CLOEXEC);
    const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    const int problem = errno;
    if (descriptor >= 0) {
        ::close(descriptor);
    }
    if (!synced) {
        errno = problem;
        fail(path, "cannot be written to disk");
    }
}

/// Not all file systems can do both at once; then the look before has to do.
bool renameWithoutReplacing(const char* from, const char* to) {
    if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return true;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return false;
    }
    if (::access(to, F_OK) == 0) {
        errno = EEXIST;
        return false;
    }
    return std::rename(from, to) == 0;
}

}  // namespace

std::string directoryOf(const std::string& file) {
    const auto slash = file.rfind('/');
    return slash == std::string::npos ? "." : file.substr(0, slash + 1);
}

void syncDirectory(const std::string& directory) {
    syncOpened(directory, O_DIRECTORY);
}

NewFile::NewFile(std::string target) : target_(std::move(target)), path_(target_ + mark + "XXXXXX") {
    const int descriptor = ::mkostemp(path_.data(), O_CLOEXEC);
    if (descriptor < 0) {
        fail(target_, "cannot be created");
    }
    ::close(descriptor);
}

NewFile::~NewFile() {
    if (published_) {
        return;
    }
    for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
        ::unlink((path_ + suffix).c_str());
    }
}

void NewFile::sync() const {
    syncOpened(path_, 0);
}

void NewFile::publish(bool replace) {
    sync();
    const bool renamed = replace ? std::rename(path_.c_str(), target_.c_str()) == 0
                                 : renameWithoutReplacing(path_.c_str(), target_.c_str());
    if (!renamed) {
        fail(target_, errno == EEXIST ? "is there already" : "cannot be put in place");
    }
    published_ = true;
    syncDirectory(directoryOf(target_));
}

}  // namespace sallyport::host::store
