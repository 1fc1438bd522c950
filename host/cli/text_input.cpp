#include "host/cli/text_input.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <istream>
#include <sstream>

#include "host/cli/client_names.h"
#include "host/cli/text.h"

namespace sallyport::host::cli {

namespace {

std::string readAll(std::istream& in, const std::string& name) {
    std::ostringstream text;
    errno = 0;
    text << in.rdbuf();  // turns what the buffer throws, as for a directory, into badbit
    if (text.bad()) {
        throw UsageError("cannot read " + name + ": " + std::strerror(errno != 0 ? errno : EIO));
    }
    return text.str();
}

}  // namespace

std::string checkedText(std::string text, const char* what) {
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
        throw UsageError(std::string("the ") + what + " is empty");
    }
    if (!isUtf8(text)) {
        throw UsageError(std::string("the ") + what + " is not UTF-8 text");
    }
    return text;
}

std::string textFrom(const std::string& argument, std::istream& in, const char* what) {
    return checkedText(argument == "-" ? readAll(in, "standard input") : argument, what);
}

std::string textFromFile(const std::string& path, const char* what) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw UsageError("cannot read " + path + ": " + std::strerror(errno));
    }
    return checkedText(readAll(file, path), what);
}

}  // namespace sallyport::host::cli
