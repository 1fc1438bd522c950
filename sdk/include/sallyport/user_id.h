// What users are called, and whom a request may be about.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <sallyport/call.h>

namespace sallyport {

/// Whose is what a request makes, or asks for, without naming a user: the caller's own user; `default` where
/// the caller acts for every user (the permission `users.all`). [any thread]
[[nodiscard]] std::string ownerByDefault(const Caller& caller);

/// Whether a user can be called so: 1 to 128 ASCII letters, digits and characters of `. _ @ + : -`. What
/// stands for all users, `*`, is no name. [any thread]
[[nodiscard]] bool isUserId(std::string_view text) noexcept;

/// The member `user_id` of a body; nothing when it was left out. Whether the caller may act for that user is
/// the caller's to check: see Caller::mayAccess. [any thread]
/// @throws RequestError 422 if nobody can be called so.
[[nodiscard]] std::optional<std::string> userIn(const json::Object& body);

/// The query parameter `user_id`: whom a request is about, or `*` for all users; nothing when it was left
/// out. [any thread]
/// @throws RequestError 404 for another user than the caller's own, 403 for `*`, both whether there is such a
///         user or not; neither for a caller who has the permission `users.all`.
[[nodiscard]] std::optional<std::string> userInQuery(const Call& call);

}  // namespace sallyport
