#include "key_reading.h"

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace sallyport::plugins::llm {

namespace {

constexpr std::size_t longestKey = std::size_t{16} * 1024;

SecretText fromFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    SecretText buffer(longestKey + 1);
    file.read(buffer.bytes().data(), static_cast<std::streamsize>(buffer.size()));
    if (file.bad() || !(file.is_open() && file.eof())) {
        throw NoKey("its file cannot be read: " + path);
    }
    return SecretText::copyOf(buffer.reveal().substr(0, static_cast<std::size_t>(file.gcount())));
}

std::string_view withoutBlanks(std::string_view text) {
    constexpr std::string_view blank = " \t\r\n";
    const auto first = text.find_first_not_of(blank);
    return first == std::string_view::npos ? std::string_view{}
                                           : text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// What goes into a header must end neither the line nor the head.
void requirePrintable(std::string_view key) {
    for (const char c : key) {
        if (c <= ' ' || c > '~') {
            throw NoKey("it has a character that no key has");
        }
    }
}

}  // namespace

bool isNear(const KeySource& source) {
    return source.kind == KeySource::Kind::file || source.kind == KeySource::Kind::environment;
}

SecretText readNear(const KeySource& source) {
    if (source.kind == KeySource::Kind::file) {
        return fromFile(source.name);
    }
    const char* const value = std::getenv(source.name.c_str());
    if (value == nullptr) {
        throw NoKey("the environment variable " + source.name + " is not set");
    }
    return SecretText::copyOf(value);
}

SecretText usableKey(const Provider& provider, const SecretText& text) {
    const std::string_view key = withoutBlanks(text.reveal());
    if (key.empty()) {
        throw NoKey("it is empty");
    }
    requirePrintable(key);
    if (const std::string problem = problemWithKey(provider, key); !problem.empty()) {
        throw NoKey("it " + problem);
    }
    return SecretText::copyOf(key);
}

}  // namespace sallyport::plugins::llm
