#include "host/plugins/plugin_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <Poco/DigestEngine.h>
#include <openssl/evp.h>

#include <sallyport/file_descriptor.h>

namespace sallyport::host::plugins {

namespace {

namespace fs = std::filesystem;

constexpr off_t mostBytes = off_t{256} << 20U;

std::string reason() {
    return std::generic_category().message(errno);
}

FileStamp stampFrom(const struct stat& status) {
    constexpr std::int64_t nanosecondsPerSecond = 1'000'000'000;
    return {status.st_dev, status.st_ino, status.st_size,
            status.st_mtim.tv_sec * nanosecondsPerSecond + status.st_mtim.tv_nsec};
}

struct stat statusOf(int descriptor) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        throw Refused("it cannot be looked at: " + reason());
    }
    return status;
}

/// At most as many bytes as the file had when it was looked at: one that grows meanwhile is found out later.
std::string readAll(int descriptor, std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t have = 0;
    while (have < size) {
        const auto got = ::read(descriptor, bytes.data() + have, size - have);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            throw Refused("it cannot be read: " + reason());
        }
        if (got == 0) {
            break;
        }
        have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
}

std::string sha256Of(const std::string& bytes) {
    std::vector<unsigned char> sum(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), sum.data(), &size, EVP_sha256(), nullptr) != 1) {
        throw Refused("its SHA-256 sum cannot be computed");
    }
    sum.resize(size);
    return Poco::DigestEngine::digestToHex(sum);
}

}  // namespace

FileStamp stampOf(const std::string& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) {
        throw Refused("it cannot be looked at: " + reason());
    }
    return stampFrom(status);
}

PluginFile readPluginFile(const std::string& file, const std::optional<trust::Trust>& trust) {
    // O_NONBLOCK: a pipe that nobody writes to must not hold the daemon up.
    const FileDescriptor source(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!source.open()) {
        throw Refused("it cannot be opened: " + reason());
    }
    const auto before = statusOf(source.get());
    if (!S_ISREG(before.st_mode)) {
        throw Refused("it is not a regular file");
    }
    if (before.st_size > mostBytes) {
        throw Refused("it is larger than a plugin may be, 256 MiB");
    }
    try {
        if (trust) {
            trust->requireFile(source.get(), file);
        }
    } catch (const trust::Untrusted& problem) {
        throw Refused(problem.what());
    }
    PluginFile read{file, stampFrom(before), nullptr, {}};
    read.bytes =
        std::make_shared<const std::string>(readAll(source.get(), static_cast<std::size_t>(before.st_size)));
    if (stampFrom(statusOf(source.get())) != read.stamp) {
        throw Refused("it changed while it was being read; put it in place by renaming");
    }
    read.sha256 = sha256Of(*read.bytes);
    return read;
}

bool isPluginFileName(const std::string& name) {
    return !name.starts_with('.') && fs::path(name).extension() == ".so";
}

std::vector<std::string> pluginFilesIn(const std::string& directory, const trust::Trust& trust) {
    try {
        trust.requireDirectory(directory);
        std::vector<std::string> files;
        for (const auto& entry : fs::directory_iterator(directory)) {
            if (isPluginFileName(entry.path().filename().string())) {
                files.push_back(entry.path().string());
            }
        }
        std::sort(files.begin(), files.end());
        return files;
    } catch (const trust::Untrusted& problem) {
        throw Refused(problem.what());
    } catch (const fs::filesystem_error& error) {
        throw Refused("the directory cannot be read: " + error.code().message());
    }
}

}  // namespace sallyport::host::plugins
