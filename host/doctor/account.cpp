#include "host/doctor/account.h"

#include <cerrno>
#include <system_error>

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/client/user_name.h"

namespace sallyport::host::doctor {

namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Account currentAccount() {
    return {::geteuid(), ::getegid(), client::userName(::geteuid())};
}

std::optional<Account> ownerOf(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        fail(path);
    }
    return Account{status.st_uid, status.st_gid, client::userName(status.st_uid)};
}

void become(const Account& account) {
    if (::geteuid() != 0 || account.isRoot()) {
        return;
    }
    // The groups first: afterwards there is no right to change them.
    if (::initgroups(account.name.c_str(), account.gid) != 0 ||
        ::setresgid(account.gid, account.gid, account.gid) != 0 ||
        ::setresuid(account.uid, account.uid, account.uid) != 0) {
        fail("cannot become " + account.name);
    }
}

}  // namespace sallyport::host::doctor
