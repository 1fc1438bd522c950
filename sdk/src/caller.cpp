#include <utility>

#include <sallyport/caller.h>

namespace sallyport {

const char* name(Role role) {
    switch (role) {
        case Role::viewer:
            return "viewer";
        case Role::user:
            return "user";
        case Role::admin:
            return "admin";
    }
    return "viewer";
}

Caller::Caller(Realm realm, std::string user, const JobId& job, Role role)
    : realm_(realm), role_(role), job_(job), user_(std::move(user)) {}

bool Caller::mayAccess(const std::string& owner) const {
    return role_ == Role::admin || user_ == owner;
}

}  // namespace sallyport
