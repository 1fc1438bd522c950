// What a stored exception says to those who run the daemon.
#pragma once

#include <exception>
#include <string>

namespace sallyport {

/// What an exception says, for the log: the detail of a StoreError, the displayText() of one of Poco's, the
/// what() of any other std::exception, and that it is none for the rest. It may hold paths and SQL, and must
/// not get into an answer. [any thread]
/// @param problem not null.
[[nodiscard]] std::string errorText(const std::exception_ptr& problem);

}  // namespace sallyport
