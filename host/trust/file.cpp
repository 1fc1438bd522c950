#include "host/trust/file.h"

#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include <sallyport/file_descriptor.h>

namespace sallyport::host::trust {

std::string contentsOf(const std::string& file, const std::optional<Trust>& trust) {
    const FileDescriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!descriptor.open()) {
        throw std::system_error(errno, std::generic_category());
    }
    if (trust) {
        trust->requireFile(descriptor.get(), file);
    }
    std::string contents;
    std::array<char, 4096> buffer{};
    for (;;) {
        const auto length = ::read(descriptor.get(), buffer.data(), buffer.size());
        if (length > 0) {
            contents.append(buffer.data(), static_cast<std::size_t>(length));
        } else if (length == 0) {
            return contents;
        } else if (errno != EINTR) {
            throw std::system_error(errno, std::generic_category());
        }
    }
}

}  // namespace sallyport::host::trust
