// `sallyport doctor`, as tests run it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/daemon.h"
#include "tests/support/process.h"

namespace sallyport::tests {

/// With the daemon's own configuration, and more.
[[nodiscard]] Finished doctor(const Daemon& daemon, const std::vector<std::string>& more = {});

/// Ended with 1, and one line that FAILED has `part`.
void assertFailed(const std::string& part, const Finished& finished);

/// What is in a directory, sorted.
[[nodiscard]] std::string namesIn(const std::filesystem::path& directory);

}  // namespace sallyport::tests
