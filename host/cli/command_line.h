// The `sallyport` program as a function, so that it can be tested without a process.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "host/cli/client_names.h"
#include "host/cli/new_plugin.h"

namespace sallyport::host::cli {

/// How the program was started.
struct Invocation {
    std::vector<std::string> arguments;  ///< without the program's name
    Environment environment;
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
    bool inIsTerminal = false;
    bool outIsTerminal = false;
    bool errIsTerminal = false;
    std::optional<std::size_t> columns = std::nullopt;  ///< of the terminal that `out` is
    Installation installation = {};
};

/// Runs one command. The result is the program's exit code.
[[nodiscard]] int run(const Invocation& invocation);

}  // namespace sallyport::host::cli
