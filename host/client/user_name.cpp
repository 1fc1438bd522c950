#include "host/client/user_name.h"

#include <array>

#include <pwd.h>

namespace sallyport::host::client {

std::string userName(uid_t uid) {
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
        return "user " + std::to_string(uid);
    }
    return entry.pw_name;
}

}  // namespace sallyport::host::client
