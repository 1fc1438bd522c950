#include "key_file.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sallyport/file_descriptor.h>

namespace sallyport::plugins {

namespace {

constexpr const char* credentialName = "sallyport-master-key";
constexpr const char* variableName = "SALLYPORT_MASTER_KEY";
constexpr std::size_t maxKeyFile = 4096;

[[noreturn]] void fail(const std::string& file, const std::string& problem) {
    throw KeyProblem("the master key file " + file + " " + problem);
}

[[noreturn]] void failWithErrno(const std::string& file, const std::string& action) {
    const int error = errno;
    fail(file, action + ": " + std::strerror(error));
}

void requirePrivate(const std::string& file, int descriptor) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        failWithErrno(file, "cannot be examined");
    }
    if (!S_ISREG(status.st_mode)) {
        fail(file, "is no regular file: put the key into one and restart the daemon");
    }
    if (status.st_uid != ::geteuid()) {
        const std::string user = std::to_string(::geteuid());
        fail(file, "belongs to user id " + std::to_string(status.st_uid) + " and not to " + user +
                       ", who runs the daemon: run chown " + user + " " + file + " and restart the daemon");
    }
    if ((status.st_mode & 077U) != 0) {
        char mode[8];
        std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(status.st_mode & 07777U));
        fail(file, std::string("has mode ") + mode + ", so that others can read it: run chmod 600 " + file +
                       " and restart the daemon; if others may have read it, also change the key with "
                       "sallyport secret rekey");
    }
}

/// Up to the end, and one byte more than a key may have, by which the caller knows that it is too long.
SecretText readAll(const std::string& file, int descriptor) {
    SecretText buffer(maxKeyFile + 1);
    std::size_t size = 0;
    while (size < buffer.size()) {
        const ssize_t got = ::read(descriptor, buffer.bytes().data() + size, buffer.size() - size);
        if (got == 0) {
            break;
        }
        if (got > 0) {
            size += static_cast<std::size_t>(got);
        } else if (errno != EINTR) {
            failWithErrno(file, "cannot be read");
        }
    }
    return SecretText::copyOf(buffer.reveal().substr(0, size));
}

std::string_view withoutLineEnd(std::string_view text) {
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    if (text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    return text;
}

/// @param place names where the key came from, in a sentence.
MasterKey keyFrom(std::string_view text, const std::string& place) {
    try {
        const std::string_view key = withoutLineEnd(text);
        if (text.size() > maxKeyFile) {
            throw std::invalid_argument("has more than " + std::to_string(maxKeyFile) + " bytes");
        }
        return MasterKey(SecretText::copyOf(key));
    } catch (const std::invalid_argument& problem) {
        throw KeyProblem(place + " " + problem.what() +
                         ": put the right key there, such as one from openssl rand -hex 32 if nothing has "
                         "been encrypted yet, and restart the daemon");
    }
}

/// The key in a file; nothing when there is no such file.
std::optional<MasterKey> readKey(const std::string& file, bool ours) {
    // O_NONBLOCK: a pipe that never answers must not hold the start up.
    const FileDescriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!descriptor.open()) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        failWithErrno(file, "cannot be opened");
    }
    if (ours) {
        requirePrivate(file, descriptor.get());
    }
    const SecretText text = readAll(file, descriptor.get());
    return keyFrom(text.reveal(), "the master key file " + file);
}

void writeAll(const std::string& file, int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno != EINTR) {
            failWithErrno(file, "cannot be written");
        }
        text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
}

/// @return whether the names in the file's directory are durable.
bool syncDirectoryOf(const std::string& file) {
    const auto slash = file.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : file.substr(0, slash + 1);
    const FileDescriptor descriptor(::open(directory.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
    return descriptor.open() && ::fsync(descriptor.get()) == 0;
}

}  // namespace

std::optional<MasterKey> KeyFile::read() const {
    return readKey(path_, true);
}

std::optional<MasterKey> KeyFile::readNext() const {
    try {
        return readKey(nextPath_, true);
    } catch (const KeyProblem&) {
        return std::nullopt;
    }
}

void KeyFile::writeNext(const MasterKey& key) const {
    removeNext();
    const FileDescriptor descriptor(
        ::open(nextPath_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
    if (!descriptor.open()) {
        failWithErrno(nextPath_, "cannot be created");
    }
    writeAll(nextPath_, descriptor.get(), key.text().reveal());
    writeAll(nextPath_, descriptor.get(), "\n");
    if (::fsync(descriptor.get()) != 0 || !syncDirectoryOf(nextPath_)) {
        failWithErrno(nextPath_, "cannot be written to disk");
    }
}

void KeyFile::promoteNext() const {
    if (::rename(nextPath_.c_str(), path_.c_str()) != 0) {
        failWithErrno(path_, "cannot be replaced");
    }
    // Should it not last, the next start finds both files as they were, and knows which one counts.
    static_cast<void>(syncDirectoryOf(path_));
}

void KeyFile::removeNext() const {
    ::unlink(nextPath_.c_str());
}

std::optional<MasterKey> systemdKey() {
    const char* const directory = std::getenv("CREDENTIALS_DIRECTORY");  // NOLINT(concurrency-mt-unsafe)
    if (directory == nullptr || *directory == '\0') {
        return std::nullopt;
    }
    // Mode and owner are systemd's business: it may give access by an ACL.
    return readKey(std::string(directory) + "/" + credentialName, false);
}

std::optional<SecretText> takeEnvironmentKey() {
    char* const value = std::getenv(variableName);  // NOLINT(concurrency-mt-unsafe)
    if (value == nullptr) {
        return std::nullopt;
    }
    SecretText text = SecretText::copyOf(value);
    // In place, where the kernel shows it as /proc/<pid>/environ; and no child inherits it.
    explicit_bzero(value, text.size());
    ::unsetenv(variableName);  // NOLINT(concurrency-mt-unsafe)
    return text.empty() ? std::nullopt : std::optional(std::move(text));
}

MasterKey environmentKey(const SecretText& text) {
    return keyFrom(text.reveal(), std::string("the master key in the environment variable ") + variableName);
}

}  // namespace sallyport::plugins
