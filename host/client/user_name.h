// Users by their names.
#pragma once

#include <string>

#include <sys/types.h>

namespace sallyport::host::client {

/// A user's name; `user 1000` if it has none. [any thread]
[[nodiscard]] std::string userName(uid_t uid);

}  // namespace sallyport::host::client
