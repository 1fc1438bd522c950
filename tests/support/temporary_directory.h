// A directory of a test's own.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace sallyport::tests {

/// Made empty with mode 0700, removed with all that is in it. Its path is short enough for the
/// addresses of Unix-domain sockets.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// The whole file; empty when there is none.
[[nodiscard]] std::string readFile(const std::filesystem::path& file);
void writeFile(const std::filesystem::path& file, std::string_view content);

/// Awaits that another process has written `text` to `file`, which is there, behind its first `from` bytes.
/// @throws TimedOut with the whole file
void awaitText(const std::filesystem::path& file, std::string_view text, std::size_t from = 0);

}  // namespace sallyport::tests
