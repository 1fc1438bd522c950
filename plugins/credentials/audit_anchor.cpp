#include "audit_anchor.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <Poco/HexBinaryDecoder.h>
#include <Poco/MemoryStream.h>

namespace sallyport::plugins {

namespace {

constexpr std::size_t numberWidth = 20;
constexpr std::size_t hashWidth = 64;
constexpr std::size_t lineSize = numberWidth + 1 + hashWidth + 1;

/// Always of the same length, and so short that it is written whole or not at all.
std::string lineOf(const AuditHead& head) {
    std::string number = std::to_string(head.entries);
    number.insert(0, numberWidth - number.size(), '0');
    return number + ' ' + hex(head.hash) + '\n';
}

std::optional<AuditHead> parse(const std::string& line) {
    if (line.size() != lineSize) {
        return std::nullopt;
    }
    AuditHead head;
    const char* const end = line.data() + numberWidth;
    const auto [stop, problem] = std::from_chars(line.data(), end, head.entries);
    Poco::MemoryInputStream digits(end + 1, hashWidth);
    Poco::HexBinaryDecoder decoder(digits);
    for (std::uint8_t& octet : head.hash) {
        octet = static_cast<std::uint8_t>(decoder.get());
    }
    // Written anew it must be the same.
    return problem == std::errc() && stop == end && lineOf(head) == line ? std::optional(head) : std::nullopt;
}

}  // namespace

std::string hex(const Bytes& bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t octet : bytes) {
        text += digits[octet >> 4U];
        text += digits[octet & 0x0fU];
    }
    return text;
}

std::optional<AuditHead> AuditAnchor::read() const {
    std::ifstream file(file_, std::ios::binary);
    if (!file) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        throw std::runtime_error("cannot be read: " + std::string(std::strerror(errno)));
    }
    std::string line(lineSize + 1, '\0');
    file.read(line.data(), static_cast<std::streamsize>(line.size()));
    line.resize(static_cast<std::size_t>(file.gcount()));
    auto head = parse(line);
    if (!head) {
        throw std::runtime_error("does not say what it should");
    }
    return head;
}

bool AuditAnchor::note(const AuditHead& head) {
    const std::lock_guard lock(mutex_);
    if (head.entries <= noted_) {
        return true;
    }
    if (!descriptor_.open()) {
        descriptor_ = FileDescriptor(
            ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
    }
    const std::string line = lineOf(head);
    if (::pwrite(descriptor_.get(), line.data(), line.size(), 0) != std::ssize(line)) {
        return false;
    }
    noted_ = head.entries;
    return true;
}

}  // namespace sallyport::plugins
