#include "host/cli/secret_input.h"

#include <csignal>
#include <istream>
#include <string>
#include <string_view>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#include "host/cli/client_names.h"
#include "host/cli/text.h"

namespace sallyport::host::cli {

namespace {

constexpr std::size_t greatestSecret = 1024UL * 1024;

termios shownBefore;  // for the signal handler, which can be given nothing

extern "C" void showAndDie(int signal) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shownBefore);
    ::signal(signal, SIG_DFL);
    ::raise(signal);
}

/// What is typed is not shown while this lives. A signal that ends the program shows it again first.
class HiddenTyping {
public:
    HiddenTyping() : active_(::tcgetattr(STDIN_FILENO, &shownBefore) == 0) {
        if (!active_) {
            throw UsageError("the terminal cannot be told to hide what is typed",
                             {"Give the secret on standard input, from a file or another program."});
        }
        previousInterrupt_ = std::signal(SIGINT, showAndDie);
        previousTermination_ = std::signal(SIGTERM, showAndDie);
        termios hidden = shownBefore;
        hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    ~HiddenTyping() {
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shownBefore);
        std::signal(SIGINT, previousInterrupt_);
        std::signal(SIGTERM, previousTermination_);
    }
    HiddenTyping(const HiddenTyping&) = delete;
    HiddenTyping& operator=(const HiddenTyping&) = delete;

private:
    bool active_;
    void (*previousInterrupt_)(int) = SIG_DFL;
    void (*previousTermination_)(int) = SIG_DFL;
};

/// Into memory that is there already: growing it would leave copies behind.
SecretText readUntil(std::istream& in, bool lineOnly) {
    SecretText buffer(greatestSecret + 3);  // a line end, and one more that shows that it is too long
    std::size_t size = 0;
    std::streambuf& source = *in.rdbuf();
    for (int c = source.sbumpc(); c != std::char_traits<char>::eof(); c = source.sbumpc()) {
        if (lineOnly && c == '\n') {
            break;
        }
        if (size < buffer.size()) {
            buffer.bytes()[size++] = static_cast<char>(c);
        }
    }
    std::string_view text = buffer.reveal().substr(0, size);
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    if (text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    if (text.size() > greatestSecret) {
        throw UsageError("the secret is longer than " + std::to_string(greatestSecret) + " bytes");
    }
    return SecretText::copyOf(text);
}

SecretText readHidden(std::istream& in, Terminal& err) {
    const HiddenTyping hidden;
    err.prompt("Secret (it is not shown): ");
    SecretText secret = readUntil(in, true);
    err.line({});  // the line end was not shown either
    err.flush();
    return secret;
}

}  // namespace

SecretText readSecret(std::istream& in, bool inIsTerminal, Terminal& err) {
    SecretText secret = inIsTerminal ? readHidden(in, err) : readUntil(in, false);
    if (secret.empty()) {
        throw UsageError("the secret is empty");
    }
    if (!isUtf8(secret.reveal())) {
        throw UsageError("the secret is not UTF-8 text");
    }
    return secret;
}

void closeMemory() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace sallyport::host::cli
