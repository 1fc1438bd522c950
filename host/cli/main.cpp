#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>

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

/// What was installed with this program is found from where it lies, so that an installation can be moved.
sallyport::host::cli::Installation installation() {
    std::error_code ignored;
    const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
    return {.pluginTemplate = (here / SALLYPORT_TEMPLATE_FROM_HERE).lexically_normal(),
            .plugins = (here / SALLYPORT_PLUGINS_FROM_HERE).lexically_normal(),
            .daemons = {here / "sallyportd", (here / SALLYPORT_DAEMON_FROM_HERE).lexically_normal()}};
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
                                      .columns = columns(),
                                      .installation = installation()});
}
