#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
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

std::filesystem::path lockFile(const std::filesystem::path& directory) {
    return directory / "sallyportd.lock";
}

/// The process id that the holder of the lock wrote.
std::string writtenHolder(int file) {
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
    const std::filesystem::path path = lockFile(folder);
    file_ = FileDescriptor(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file_.open()) {
        fail("cannot open the lock file", path, errno);
    }
    if (flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            fail("cannot lock", path, errno);
        }
        throw std::runtime_error("the data directory \"" + folder.string() +
                                 "\" is in use by another sallyportd (process " + writtenHolder(file_.get()) +
                                 ")");
    }
    writeProcessId(file_.get(), path);
}

/// The kernel lists each lock with its process and its file's inode: `1: FLOCK  ADVISORY  WRITE 812
/// fe:01:4711 …`. The device is left out of account, because some file systems show another one there; the
/// process id, which is in the file, too, makes up for it.
std::optional<pid_t> DirectoryLock::holder(const std::string& directory) {
    const std::filesystem::path path = lockFile(directory);
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        fail("cannot look at", path, errno);
    }
    std::ifstream lock(path);
    if (!lock) {
        fail("cannot read", path, errno);
    }
    std::string written;
    std::getline(lock, written);
    std::ifstream locks("/proc/locks");
    for (std::string line; std::getline(locks, line);) {
        std::istringstream words(line);
        std::string number;
        std::string kind;
        std::string mode;
        std::string access;
        std::string process;
        std::string file;
        words >> number >> kind >> mode >> access >> process >> file;
        if (kind == "FLOCK" && process == written &&
            file.substr(file.rfind(':') + 1) == std::to_string(status.st_ino)) {
            return static_cast<pid_t>(std::stol(process));
        }
    }
    return std::nullopt;
}

}  // namespace sallyport::host::store
