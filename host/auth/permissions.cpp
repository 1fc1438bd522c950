#include "host/auth/permissions.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <sallyport/permission.h>

namespace sallyport::host::auth {

namespace {

using RoleSet = std::uint32_t;

constexpr RoleSet only(Role role) {
    return RoleSet{1} << static_cast<unsigned>(role);
}

constexpr std::array allRoles{Role::viewer, Role::user, Role::admin, Role::auditor, Role::runner};

constexpr RoleSet admins = only(Role::admin);
constexpr RoleSet writers = only(Role::user) | admins;
constexpr RoleSet overseers = admins | only(Role::auditor);
constexpr RoleSet readers = only(Role::viewer) | writers | overseers;
constexpr RoleSet runners = admins | only(Role::runner);

/// One line of the table. docs/api.md has the same.
struct Granted {
    std::string_view permission;
    RoleSet roles;
};

constexpr Granted grantedTable[] = {
    {permission::jobsRead, readers | runners},
    {permission::jobsWrite, writers},
    {permission::jobsRelease, admins},
    {permission::limitsRaise, admins},
    {permission::eventsRead, readers},
    {permission::promptsWrite, writers},
    {permission::runsLease, runners},
    {permission::secretsRead, readers},
    {permission::secretsWrite, writers},
    {permission::secretsRekey, admins},
    {permission::usageRead, readers},
    {permission::auditRead, overseers},
    {permission::statusRead, readers},
    {permission::pluginsRead, readers},
    {permission::pluginsReload, admins},
    {permission::pluginsAcknowledge, admins},
    {permission::tokensRead, overseers},
    {permission::tokensWrite, admins},
    {permission::usersAll, overseers | runners},
};

/// The verbs of plugins' own permissions that mean something; any other is for writers.
constexpr Granted grantedVerbs[] = {{"read", readers}, {"admin", admins}};

/// The line of that name, or null.
const Granted* lineOf(std::span<const Granted> lines, std::string_view name) {
    const auto found =
        std::find_if(lines.begin(), lines.end(), [&](const auto& line) { return line.permission == name; });
    return found == lines.end() ? nullptr : &*found;
}

bool isVerb(std::string_view text) {
    return !text.empty() && text.front() >= 'a' && text.front() <= 'z' &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

/// Who has it. What is of no form that a permission can have, nobody.
RoleSet rolesWith(std::string_view permission) noexcept {
    if (const auto* const own = lineOf(grantedTable, permission)) {
        return own->roles;
    }
    const auto dot = permission.find('.');
    if (dot == std::string_view::npos || dot == 0 || !isVerb(permission.substr(dot + 1))) {
        return 0;
    }
    const auto* const verb = lineOf(grantedVerbs, permission.substr(dot + 1));
    return verb != nullptr ? verb->roles : writers;
}

class Permissions final : public PermissionSet {
public:
    explicit constexpr Permissions(RoleSet roles) : roles_(roles) {}

    [[nodiscard]] bool has(std::string_view permission) const noexcept override {
        return (rolesWith(permission) & roles_) != 0;
    }

private:
    RoleSet roles_;
};

constexpr Permissions sets[] = {Permissions(only(Role::viewer)), Permissions(only(Role::user)),
                                Permissions(only(Role::admin)), Permissions(only(Role::auditor)),
                                Permissions(only(Role::runner))};
static_assert(std::size(sets) == allRoles.size());

constexpr Permissions nothingGranted(0);

}  // namespace

std::span<const Role> roles() {
    return allRoles;
}

std::optional<Role> parseRole(std::string_view text) {
    for (const Role role : allRoles) {
        if (text == name(role)) {
            return role;
        }
    }
    return std::nullopt;
}

std::string roleNames() {
    std::string text;
    for (const Role role : allRoles) {
        text += text.empty() ? "" : role == allRoles.back() ? " or " : ", ";
        text += name(role);
    }
    return text;
}

std::vector<std::string_view> permissionNames() {
    std::vector<std::string_view> names;
    for (const auto& line : grantedTable) {
        names.push_back(line.permission);
    }
    return names;
}

const PermissionSet& permissionsOf(Role role) {
    return sets[static_cast<std::size_t>(role)];
}

const PermissionSet& noPermissions() {
    return nothingGranted;
}

bool isPermission(std::string_view permission, std::string_view plugin) {
    if (lineOf(grantedTable, permission) != nullptr) {
        return true;
    }
    return permission.size() > plugin.size() && permission.starts_with(plugin) &&
           permission[plugin.size()] == '.' && isVerb(permission.substr(plugin.size() + 1));
}

std::string permissionOf(std::string_view plugin, std::string_view verb) {
    return std::string(plugin) + "." + std::string(verb);
}

}  // namespace sallyport::host::auth
