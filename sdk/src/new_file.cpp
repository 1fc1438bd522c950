#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <sallyport/new_file.h>

namespace sallyport {

namespace {

/// With the reason that `errno` gives.
[[noreturn]] void fail(const std::string& file, const char* problem) {
    const int reason = errno;
    throw FileError(file, std::string(problem) + ": " + std::generic_category().message(reason));
}

std::string chance() {
    constexpr std::string_view characters = "abcdefghijklmnopqrstuvwxyz234567";
    std::array<std::uint8_t, 6> octets{};
    if (::getentropy(octets.data(), octets.size()) != 0) {
        throw std::system_error(errno, std::generic_category(), "getentropy");
    }
    std::string text;
    for (const std::uint8_t octet : octets) {
        text += characters[octet % characters.size()];
    }
    return text;
}

FileDescriptor created(const std::string& path, mode_t mode) {
    // Neither a link to elsewhere nor a file that somebody else has open.
    return FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
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
    return ::rename(from, to) == 0;
}

}  // namespace

FileError::FileError(std::string file, std::string problem)
    : std::runtime_error("\"" + file + "\" " + problem),
      file_(std::move(file)),
      problem_(std::move(problem)) {}

NewFile::NewFile(std::string target) : NewFile(std::move(target), Options{}) {}

NewFile::NewFile(std::string target, const Options& options) : target_(std::move(target)) {
    if (options.unique) {
        do {
            path_ = target_ + uniqueMark + chance();
            file_ = created(path_, options.mode);
        } while (!file_.open() && errno == EEXIST);
    } else {
        path_ = target_ + fixedMark;
        if (::unlink(path_.c_str()) != 0 && errno != ENOENT) {
            fail(path_, "cannot be removed");
        }
        file_ = created(path_, options.mode);
    }
    if (!file_.open()) {
        fail(options.unique ? target_ : path_, "cannot be created");
    }
}

NewFile::~NewFile() {
    if (!stays_) {
        ::unlink(path_.c_str());
    }
}

void NewFile::write(std::string_view text) {
    if (!writeAll(file_.get(), text)) {
        fail(path_, "cannot be written");
    }
}

void NewFile::sync() const {
    if (::fsync(file_.get()) != 0) {
        fail(path_, "cannot be written to disk");
    }
}

void NewFile::publish(Existing existing) {
    sync();
    const bool renamed = existing == Existing::replace
                             ? ::rename(path_.c_str(), target_.c_str()) == 0
                             : renameWithoutReplacing(path_.c_str(), target_.c_str());
    if (!renamed && errno == EEXIST) {
        throw FileError(target_, "is there already");
    }
    if (!renamed) {
        fail(target_, "cannot be put in place");
    }
    stays_ = true;
    syncDirectory(directoryOf(target_));
}

void NewFile::keep() {
    sync();
    syncDirectory(directoryOf(path_));
    stays_ = true;
}

void syncDirectory(const std::string& directory) {
    const FileDescriptor opened(::open(directory.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
    if (!opened.open() || ::fsync(opened.get()) != 0) {
        fail(directory, "cannot be written to disk");
    }
}

std::string directoryOf(const std::string& file) {
    const auto slash = file.rfind('/');
    return slash == std::string::npos ? "." : file.substr(0, slash + 1);
}

}  // namespace sallyport
