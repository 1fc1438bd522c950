// Users of this machine.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

namespace sallyport::host::doctor {

struct Account {
    uid_t uid = 0;
    gid_t gid = 0;     ///< of the file it was found by, or the process
    std::string name;  ///< see client::userName

    [[nodiscard]] bool isRoot() const noexcept { return uid == 0; }
};

/// Whom this process runs as.
[[nodiscard]] Account currentAccount();

/// Whom a file or directory belongs to; nothing if there is none. @throws std::system_error
[[nodiscard]] std::optional<Account> ownerOf(const std::string& path);

/// Gives up root's rights for those of that account, for good. Without effect for who is not root.
/// @throws std::system_error
void become(const Account& account);

}  // namespace sallyport::host::doctor
