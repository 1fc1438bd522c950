#include "host/plugins/private_copy.h"

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sallyport/file_descriptor.h>

#include "host/plugins/refused.h"

namespace sallyport::host::plugins {

namespace {

std::string whyNot() {
    return std::generic_category().message(errno);
}

void writeCopy(int descriptor, std::string_view bytes) {
    if (!writeAll(descriptor, bytes)) {
        throw Postponed("the private copy cannot be written: " + whyNot());
    }
}

std::string stemOf(const std::string& file) {
    return std::filesystem::path(file).stem().string();
}

}  // namespace

PrivateCopy PrivateCopy::inDirectory(const std::string& bytes, const std::string& file,
                                     const std::string& directory) {
    static std::atomic<unsigned> serial{0};
    PrivateCopy copy(directory + "/" + stemOf(file) + "." + std::to_string(++serial) + ".so",
                     FileDescriptor());
    ::unlink(copy.path().c_str());
    const FileDescriptor target(
        ::open(copy.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IXUSR));
    if (!target.open()) {
        throw Postponed("the private copy " + copy.path() + " cannot be written: " + whyNot());
    }
    writeCopy(target.get(), bytes);
    return copy;
}

PrivateCopy PrivateCopy::inMemory(const std::string& bytes, const std::string& file) {
    FileDescriptor memory(::memfd_create(stemOf(file).c_str(), MFD_CLOEXEC));
    if (!memory.open()) {
        throw Postponed("there is no memory for a private copy: " + whyNot());
    }
    writeCopy(memory.get(), bytes);
    std::string path = "/proc/self/fd/" + std::to_string(memory.get());
    return {std::move(path), std::move(memory)};
}

PrivateCopy::PrivateCopy(PrivateCopy&& other) noexcept
    : path_(std::exchange(other.path_, {})), memory_(std::move(other.memory_)) {}

PrivateCopy::~PrivateCopy() {
    if (!memory_.open() && !path_.empty()) {
        ::unlink(path_.c_str());
    }
}

}  // namespace sallyport::host::plugins
