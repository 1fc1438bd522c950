// A file that appears whole or not at all.
#pragma once

#include <string>

namespace sallyport::host::store {

/// An empty file (mode 0600) beside the one that it is to become. Unless it was given that name, it is
/// removed when this goes, and with it what SQLite may have left beside it.
class NewFile {
public:
    /// @throws std::runtime_error a sentence.
    explicit NewFile(std::string target);
    ~NewFile();
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;

    /// Where it is until then.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    /// Brings its content to the disk. @throws std::runtime_error a sentence.
    void sync() const;

    /// Gives it the name it is made for, durably. @throws std::runtime_error a sentence; also when there is a
    /// file of that name that is not to be replaced.
    void publish(bool replace);

    /// What is put between the target's name and six characters of chance.
    static constexpr const char* mark = ".partial-";

private:
    std::string target_;
    std::string path_;
    bool published_ = false;
};

/// Makes the names in a directory durable. @throws std::runtime_error a sentence.
void syncDirectory(const std::string& directory);

/// The directory that a file is in: `.` for a bare name.
[[nodiscard]] std::string directoryOf(const std::string& file);

}  // namespace sallyport::host::store
