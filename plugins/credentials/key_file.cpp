#include "key_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sallyport/file_descriptor.h>
#include <sallyport/new_file.h>
#include <sallyport/private_file.h>

namespace sallyport::plugins {

namespace {

constexpr std::size_t maxKeyFile = 4096;

[[noreturn]] void fail(const std::string& file, const std::string& problem) {
    throw KeyProblem("the master key file " + file + " " + problem);
}

[[noreturn]] void failWithErrno(const std::string& file, const std::string& action) {
    const int error = errno;
    fail(file, action + ": " + std::strerror(error));
}

void requirePrivate(const std::string& file, int descriptor) {
    const auto exposure = exposureOf(descriptor, file);
    if (!exposure) {
        return;
    }
    switch (exposure->kind) {
        case Exposure::Kind::notRegular:
            fail(file, exposure->text + ": put the key into one and restart the daemon");
        case Exposure::Kind::foreign:
            fail(file, exposure->text + " and restart the daemon");
        case Exposure::Kind::open:
            fail(file, exposure->text + ", so that others can read it: run chmod 600 " + file +
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
    try {
        NewFile next(path_);
        next.write(key.text().reveal());
        next.write("\n");
        next.keep();
    } catch (const FileError& error) {
        fail(error.file(), error.problem());
    }
}

void KeyFile::promoteNext() const {
    if (::rename(nextPath_.c_str(), path_.c_str()) != 0) {
        failWithErrno(path_, "cannot be replaced");
    }
    try {
        syncDirectory(directoryOf(path_));
    } catch (const FileError&) {
        // Should it not last, the next start finds both files as they were, and knows which one counts.
    }
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
    return handedOverKey(text, std::string("the environment variable ") + variableName);
}

MasterKey handedOverKey(const SecretText& text, const std::string& place) {
    return keyFrom(text.reveal(), "the master key in " + place);
}

}  // namespace sallyport::plugins
