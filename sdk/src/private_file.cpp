#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

#include <sallyport/private_file.h>

namespace sallyport {

std::optional<Exposure> exposureOf(int descriptor, const std::string& file) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        throw std::system_error(errno, std::generic_category());
    }
    if (!S_ISREG(status.st_mode)) {
        return Exposure{Exposure::Kind::notRegular, "is no regular file"};
    }
    if (status.st_uid != ::geteuid()) {
        const std::string user = std::to_string(::geteuid());
        return Exposure{Exposure::Kind::foreign, "belongs to user id " + std::to_string(status.st_uid) +
                                                     " and not to " + user +
                                                     ", who runs the daemon: run chown " + user + " " + file};
    }
    if ((status.st_mode & 077U) != 0) {
        std::array<char, 8> mode{};
        std::snprintf(mode.data(), mode.size(), "%04o", static_cast<unsigned>(status.st_mode & 07777U));
        return Exposure{Exposure::Kind::open, std::string("has mode ") + mode.data()};
    }
    return std::nullopt;
}

}  // namespace sallyport
