// Handing a worker its address and token in a file.
#pragma once

#include <string>

namespace sallyport::host::cli {

/// A new file that only its owner can read, made before there is a token to put into it, so that no job
/// is created whose token is then lost. It is removed again unless something was written.
class EnvFile {
public:
    /// @throws UsageError if something of that name is there already, a symbolic link too, or the file
    /// cannot be made.
    explicit EnvFile(std::string path);
    ~EnvFile();
    EnvFile(const EnvFile&) = delete;
    EnvFile& operator=(const EnvFile&) = delete;

    /// Writes `SALLYPORT_URL=` and `SALLYPORT_TOKEN=`, as shells, systemd and container engines read it.
    /// @throws Failure
    void write(const std::string& url, const std::string& token);

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
    int file_;
    bool written_ = false;
};

}  // namespace sallyport::host::cli
