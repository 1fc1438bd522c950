// Runs the whole program in this process.
#pragma once

#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "host/cli/command_line.h"

namespace sallyport::host::cli {

/// What a test starts `sallyport` with, and what came of it.
struct Program {
    std::map<std::string, std::string> environment;
    std::string input;
    bool onTerminal = false;
    std::optional<std::size_t> columns = std::nullopt;
    Installation installation = {};
    std::string out = {};
    std::string err = {};

    int run(const std::vector<std::string>& arguments) {
        std::istringstream in(input);
        std::ostringstream outStream;
        std::ostringstream errStream;
        const int code =
            cli::run({.arguments = arguments,
                      .environment =
                          [this](const char* name) {
                              const auto found = environment.find(name);
                              return found == environment.end() ? std::nullopt : std::optional(found->second);
                          },
                      .in = in,
                      .out = outStream,
                      .err = errStream,
                      .outIsTerminal = onTerminal,
                      .errIsTerminal = onTerminal,
                      .columns = columns,
                      .installation = installation});
        out = outStream.str();
        err = errStream.str();
        return code;
    }
};

}  // namespace sallyport::host::cli
