#include "host/plugins/library.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sallyport::host::plugins {

namespace {

constexpr const char* symbol = "sallyport_plugin";

std::string reason() {
    return std::generic_category().message(errno);
}

/// A file descriptor that closes itself.
class Descriptor {
public:
    explicit Descriptor(int value) : value_(value) {}
    ~Descriptor() {
        if (value_ >= 0)
            ::close(value_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const noexcept { return value_; }

private:
    int value_;
};

FileStamp stampFrom(const struct stat& status) {
    constexpr std::int64_t nanosecondsPerSecond = 1'000'000'000;
    return {status.st_dev, status.st_ino, status.st_size,
            status.st_mtim.tv_sec * nanosecondsPerSecond + status.st_mtim.tv_nsec};
}

void requireTrusted(const struct stat& status) {
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        throw Refused("it belongs to user " + std::to_string(status.st_uid) +
                      ", neither root nor the daemon's own; chown it");
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        throw Refused("others may write to it; chmod go-w it");
}

void copyAll(int from, int to) {
    std::array<char, std::size_t{64} * 1024> buffer;
    for (;;) {
        const auto size = ::read(from, buffer.data(), buffer.size());
        if (size < 0)
            throw Refused("it cannot be read: " + reason());
        if (size == 0)
            return;
        for (ssize_t written = 0; written < size;) {
            const auto step = ::write(to, buffer.data() + written, static_cast<std::size_t>(size - written));
            if (step < 0)
                throw Refused("the private copy cannot be written: " + reason());
            written += step;
        }
    }
}

/// Refuses what is no whole shared object for this machine. The dynamic loader trusts a file's own tables:
/// one that was cut off would end the daemon with SIGBUS.
void requireWholeObject(int file, off_t size) {
    Elf64_Ehdr header{};
    if (::pread(file, &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header) ||
        std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_type != ET_DYN)
        throw Refused("it is no shared object");
    const auto whole = static_cast<std::uint64_t>(size);
    const auto within = [whole](std::uint64_t offset, std::uint64_t length) {
        return offset <= whole && length <= whole - offset;
    };
    bool complete = header.e_phentsize == sizeof(Elf64_Phdr) &&
                    within(header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr)) &&
                    within(header.e_shoff, std::uint64_t{header.e_shnum} * header.e_shentsize);
    for (unsigned i = 0; complete && i < header.e_phnum; ++i) {
        Elf64_Phdr segment{};
        const auto at = static_cast<off_t>(header.e_phoff + i * sizeof segment);
        complete = ::pread(file, &segment, sizeof segment, at) == static_cast<ssize_t>(sizeof segment) &&
                   within(segment.p_offset, segment.p_filesz);
    }
    if (!complete)
        throw Refused("it is cut off; put it in place by renaming, when it is complete");
}

}  // namespace

FileStamp stampOf(const std::string& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0)
        throw Refused("it cannot be looked at: " + reason());
    return stampFrom(status);
}

void requireTrustedDirectory(const std::string& directory) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0)
        throw Refused("the directory cannot be looked at: " + reason());
    if (!S_ISDIR(status.st_mode))
        throw Refused("it is no directory");
    requireTrusted(status);
}

Library::Library(const std::string& file, const std::string& workspace) : file_(file) {
    copyTrusted(workspace);
    try {
        library_.load(copy_, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
        readDescriptor();
    } catch (const Refused&) {
        library_.unload();
        ::unlink(copy_.c_str());
        throw;
    } catch (const std::exception& error) {
        ::unlink(copy_.c_str());
        throw Refused(std::string("it cannot be opened: ") + error.what());
    }
}

Library::~Library() {
    library_.unload();
    ::unlink(copy_.c_str());
}

void Library::copyTrusted(const std::string& workspace) {
    const Descriptor source(::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat before {};
    if (source.get() < 0 || ::fstat(source.get(), &before) != 0)
        throw Refused("it cannot be opened: " + reason());
    if (!S_ISREG(before.st_mode))
        throw Refused("it is not a regular file");
    requireTrusted(before);
    requireWholeObject(source.get(), before.st_size);

    static std::atomic<unsigned> serial{0};
    copy_ = workspace + "/" + std::filesystem::path(file_).stem().string() + "." + std::to_string(++serial) +
            ".so";
    ::unlink(copy_.c_str());
    const Descriptor target(
        ::open(copy_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IXUSR));
    if (target.get() < 0)
        throw Refused("the private copy " + copy_ + " cannot be written: " + reason());
    copyAll(source.get(), target.get());

    struct stat after {};
    if (::fstat(source.get(), &after) != 0 || stampFrom(before) != stampFrom(after)) {
        ::unlink(copy_.c_str());
        throw Refused("it changed while it was being read; put it in place by renaming");
    }
    stamp_ = stampFrom(after);
}

void Library::readDescriptor() {
    if (!library_.has(symbol))
        throw Refused(std::string("it exports no ") + symbol + ": not a Sallyport plugin");
    const auto& descriptor = library_.get<const PluginDescriptor>(symbol);
    if (descriptor.abi != abiNumber)
        throw Refused("it was built for plugin ABI " + std::to_string(descriptor.abi) + ", and this is ABI " +
                      std::to_string(abiNumber) + "; rebuild it");
    if (descriptor.toolchain == nullptr || std::strcmp(descriptor.toolchain, SALLYPORT_TOOLCHAIN) != 0)
        throw Refused(std::string("it was built with another C++ library ABI; rebuild it with ") +
                      SALLYPORT_TOOLCHAIN);
    if (descriptor.name == nullptr || !isPluginName(descriptor.name))
        throw Refused("its name is not [a-z][a-z0-9_]*, at most 64 characters");
    if (descriptor.create == nullptr || descriptor.destroy == nullptr || descriptor.version == nullptr ||
        descriptor.summary == nullptr || (descriptor.settings == nullptr && descriptor.settingCount != 0))
        throw Refused("its descriptor is incomplete");
    descriptor_ = &descriptor;
}

}  // namespace sallyport::host::plugins
