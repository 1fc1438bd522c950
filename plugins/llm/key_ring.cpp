#include "key_ring.h"

#include <cstdlib>
#include <cstring>
#include <fstream>

#include <sallyport/errors.h>
#include <sallyport/secrets.h>

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

std::string_view trimmed(std::string_view text) {
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

std::optional<KeyRing::HeaderLine> KeyRing::kept(const Provider& provider, Time now) {
    if (provider.key.kind == KeySource::Kind::none) {
        return HeaderLine{};
    }
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(provider.name);
    if (entry == entries_.end() || entry->second.until <= now) {
        return std::nullopt;
    }
    return entry->second.line;
}

KeyRing::HeaderLine KeyRing::read(const Provider& provider, Time now) {
    const SecretText value = valueOf(provider.key);
    const std::string_view key = trimmed(value.reveal());
    if (key.empty()) {
        throw NoKey("it is empty");
    }
    requirePrintable(key);
    const std::string_view prefix = dialect(provider.type).keyHeader();
    SecretText line(prefix.size() + key.size());
    std::memcpy(line.bytes().data(), prefix.data(), prefix.size());
    std::memcpy(line.bytes().data() + prefix.size(), key.data(), key.size());
    auto shared = std::make_shared<const SecretText>(std::move(line));
    const std::lock_guard lock(mutex_);
    entries_[provider.name] = {shared, now + keep_};
    return shared;
}

void KeyRing::forget(const Provider& provider) {
    const std::lock_guard lock(mutex_);
    entries_.erase(provider.name);
}

SecretText KeyRing::valueOf(const KeySource& source) const {
    if (source.kind == KeySource::Kind::file) {
        return fromFile(source.name);
    }
    if (source.kind == KeySource::Kind::environment) {
        const char* const value = std::getenv(source.name.c_str());
        if (value == nullptr) {
            throw NoKey("the environment variable " + source.name + " is not set");
        }
        return SecretText::copyOf(value);
    }
    const auto vault = host_.find<SecretVault>();
    if (!vault) {
        throw NoKey("no secret store is loaded");
    }
    try {
        return vault->reveal("llm", source.user, source.name);
    } catch (const RequestError& error) {
        throw NoKey("the secret " + source.name + " of user " + source.user + ": " + error.what());
    }
}

}  // namespace sallyport::plugins::llm
