#include "host/cli/env_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sallyport/file_descriptor.h>

#include "host/cli/client_names.h"

namespace sallyport::host::cli {

namespace {

/// Whether the text means itself to everything that reads such a file, without quotes.
bool isPlain(std::string_view text) {
    constexpr std::string_view others = ":/.-_[]%";
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               others.find(c) != std::string_view::npos;
    });
}

bool writeDurably(int file, std::string_view text) {
    // A file system may have no fsync.
    return writeAll(file, text) && (::fsync(file) == 0 || errno == EINVAL);
}

}  // namespace

EnvFile::EnvFile(std::string path)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR)) {
    if (file_ < 0) {
        throw UsageError("cannot create " + path_ + ": " + std::strerror(errno));
    }
    // The umask may have taken the owner's own rights away.
    ::fchmod(file_, S_IRUSR | S_IWUSR);
}

EnvFile::~EnvFile() {
    ::close(file_);
    if (!written_) {
        ::unlink(path_.c_str());
    }
}

void EnvFile::write(const std::string& url, const std::string& token) {
    if (!isPlain(url) || !isPlain(token)) {
        throw Failure(ExitCode::refused,
                      "the worker's address or token holds characters that do not belong there");
    }
    if (!writeDurably(file_, "SALLYPORT_URL=" + url + "\nSALLYPORT_TOKEN=" + token + "\n")) {
        throw Failure(ExitCode::refused, "cannot write " + path_ + ": " + std::strerror(errno));
    }
    written_ = true;
}

}  // namespace sallyport::host::cli
