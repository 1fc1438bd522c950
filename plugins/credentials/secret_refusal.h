// Why a secret is not given out.
#pragma once

#include <optional>

#include <sallyport/errors.h>
#include <sallyport/timestamp.h>

#include "secret_table.h"

namespace sallyport::plugins {

/// A word each, as the audit trail has them.
namespace refusal {
inline constexpr const char* missing = "missing";
inline constexpr const char* expired = "expired";
inline constexpr const char* damaged = "damaged";
inline constexpr const char* sealed = "sealed";
}  // namespace refusal

/// Why a secret is not even to be decrypted: that it is missing or expired. Null if it may be.
[[nodiscard]] const char* refusalOf(const std::optional<StoredSecret>& stored, Timestamp at);

/// What a plugin is told that asked for the secret. @param word one of those above.
[[nodiscard]] RequestError refusedSecret(const char* word);

}  // namespace sallyport::plugins
