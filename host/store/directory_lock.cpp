#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/store/database.h"

namespace sallyport::host::store {

namespace {

[[noreturn]] void fail(const std::string& what, const std::filesystem::path& path, int code) {
    throw std::runtime_error(what + " \"" + path.string() + "\" (" + std::generic_category().message(code) +
                             ")");
}

void createDirectory(const std::filesystem::path& directory) {
    std::error_code error;
    if (directory.has_parent_path()) {
        std::filesystem::create_directories(directory.parent_path(), error);
    }
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        fail("cannot create the data directory", directory, errno);
    }
}

/// The process id that the holder of the lock wrote.
std::string holder(int file) {
    std::array<char, 16> text{};
    const auto length = pread(file, text.data(), text.size(), 0);
    const std::string pid(text.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    const auto digits = pid.find_first_not_of("0123456789");
    return digits == 0 || pid.empty() ? "unknown" : pid.substr(0, digits);
}

void writeProcessId(int file, const std::filesystem::path& path) {
    const std::string pid = std::to_string(getpid()) + "\n";
    if (ftruncate(file, 0) != 0 || pwrite(file, pid.data(), pid.size(), 0) < 0) {
        fail("cannot write", path, errno);
    }
}

}  // namespace

DirectoryLock::DirectoryLock(const std::string& directory) {
    std::filesystem::path folder(directory);
    if (!folder.has_filename()) {
        folder = folder.parent_path();  // "data/" names the same directory as "data"
    }
    createDirectory(folder);
    const std::filesystem::path path = folder / "sallyportd.lock";
    file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file_ < 0) {
        fail("cannot open the lock file", path, errno);
    }
    try {
        if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) {
                fail("cannot lock", path, errno);
            }
            throw std::runtime_error("the data directory \"" + folder.string() +
                                     "\" is in use by another sallyportd (process " + holder(file_) + ")");
        }
        writeProcessId(file_, path);
    } catch (...) {
        close(file_);
        throw;
    }
}

// The file stays: removing it would let a third daemon lock a new one while a second waits for this.
DirectoryLock::~DirectoryLock() {
    close(file_);
}

}  // namespace sallyport::host::store
