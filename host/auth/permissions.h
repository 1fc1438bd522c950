// Which role may do what: the one place that knows.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/caller.h>

// All of it is about immutable tables. [any thread]
namespace sallyport::host::auth {

/// Every role, as they are listed for people.
[[nodiscard]] std::span<const Role> roles();

/// The role of that name; nothing for any other word.
[[nodiscard]] std::optional<Role> parseRole(std::string_view text);

/// Their names, for a sentence: `viewer, user, …, or runner`.
[[nodiscard]] std::string roleNames();

/// Sallyport's own permissions, in the order of the table.
[[nodiscard]] std::vector<std::string_view> permissionNames();

/// What a role may do, permissions of plugins among it. For ever.
[[nodiscard]] const PermissionSet& permissionsOf(Role role);

/// What a worker may do at the operator door. For ever.
[[nodiscard]] const PermissionSet& noPermissions();

/// Whether a route of that plugin may name the permission: it is Sallyport's, or of the form `plugin.verb`.
[[nodiscard]] bool isPermission(std::string_view permission, std::string_view plugin);

/// `plugin.verb`
[[nodiscard]] std::string permissionOf(std::string_view plugin, std::string_view verb);

}  // namespace sallyport::host::auth
