// A secret that the user hands to a command.
#pragma once

#include <iosfwd>

#include <sallyport/secret_text.h>

#include "host/cli/terminal.h"

namespace sallyport::host::cli {

/// Reads a secret: from a terminal one line that is not shown, asked for on `err`; else all of `in`. A line
/// end at its end is no part of it.
/// @throws UsageError if it cannot be read, is empty, is too long or is not UTF-8.
[[nodiscard]] SecretText readSecret(std::istream& in, bool inIsTerminal, Terminal& err);

/// Keeps the memory of this process out of core files and away from others of the same user.
void closeMemory();

}  // namespace sallyport::host::cli
