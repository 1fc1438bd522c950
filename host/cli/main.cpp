#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>

#include <sys/ioctl.h>
#include <unistd.h>

#include "host/cli/command_line.h"

namespace {

std::optional<std::string> variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

std::optional<std::size_t> columns() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return std::nullopt;
    }
    return size.ws_col;
}

}  // namespace

int main(int argc, char** argv) {
    return sallyport::host::cli::run({.arguments = {argv + (argc > 0 ? 1 : 0), argv + argc},
                                      .environment = variable,
                                      .in = std::cin,
                                      .out = std::cout,
                                      .err = std::cerr,
                                      .inIsTerminal = ::isatty(STDIN_FILENO) == 1,
                                      .outIsTerminal = ::isatty(STDOUT_FILENO) == 1,
                                      .errIsTerminal = ::isatty(STDERR_FILENO) == 1,
                                      .columns = columns()});
}
