#include <utility>

#include <sallyport/caller.h>
#include <sallyport/permission.h>

namespace sallyport {

const char* name(Role role) {
    switch (role) {
        case Role::viewer:
            return "viewer";
        case Role::user:
            return "user";
        case Role::admin:
            return "admin";
        case Role::auditor:
            return "auditor";
        case Role::runner:
            return "runner";
    }
    return "viewer";
}

Caller::Caller(Realm realm, std::string user, const JobId& job, const PermissionSet& permissions)
    : realm_(realm), permissions_(&permissions), job_(job), user_(std::move(user)) {}

bool Caller::mayAccess(const std::string& owner) const {
    return user_ == owner || may(permission::usersAll);
}

}  // namespace sallyport
