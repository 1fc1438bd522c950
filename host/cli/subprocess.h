// Running another program for what it prints.
#pragma once

#include <string>
#include <vector>

namespace sallyport::host::cli {

/// How a program ended.
struct Ended {
    std::string output;
    int status = 0;  ///< as waitpid(2) tells it
    int signal = 0;  ///< that this program was asked to end with meanwhile; 0: none

    /// Such as `with status 64` or `by signal 11 (Segmentation fault)`.
    [[nodiscard]] std::string how() const;
};

/// Runs a program, without a shell, and waits for its end. It has this one's standard input, standard error
/// and environment, and no other descriptor of it. When this program is asked to end (SIGINT, SIGTERM,
/// SIGHUP), it passes that on as SIGTERM and goes on waiting; the second such request ends it at once. Ctrl-C
/// itself does not reach the other program, which would hear of it twice.
/// @param program its path.
/// @param arguments without its name.
/// @throws std::system_error if it cannot be run; std::runtime_error if it prints too much.
[[nodiscard]] Ended runProgram(const std::string& program, const std::vector<std::string>& arguments);

/// Ends this program as the signal does by default.
void endBySignal(int signal);

}  // namespace sallyport::host::cli
