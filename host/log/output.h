// The file that log lines are written to.
#pragma once

#include <cstddef>
#include <string>

#include <sallyport/file_descriptor.h>
#include <sallyport/log.h>

namespace sallyport::host::log {

/// Standard error, or a file. Writing to it neither ends the daemon nor holds it up: where the reader of
/// a pipe is slow, gone or stopped, or the disk is full, lines are lost instead. [one thread at a time]
class Output {
public:
    /// @param file empty for standard error; else opened for appending, and created with mode 0640.
    /// @throws std::runtime_error naming the file.
    explicit Output(const std::string& file);

    /// Writes the line with one system call, if the target takes it whole.
    /// @return false when it was lost, or a part of it.
    bool write(LogLevel level, std::string line);

    /// What is written to.
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    /// Whether the reader is journald, which takes a priority in front of a line.
    [[nodiscard]] bool journald() const noexcept { return journal_; }

private:
    enum class Kind { file, pipe, socket, terminal };

    void useStandardError();
    void examine();
    [[nodiscard]] bool waitUntilWritable() const;
    /// Bytes taken, or -1 and errno.
    [[nodiscard]] long writeSome(const char* text, std::size_t length) const;

    int descriptor_ = -1;  ///< standard error, or what is owned
    FileDescriptor owned_;
    bool journal_ = false;  ///< the reader is journald, which takes a priority in front of a line
    bool torn_ = false;     ///< the last line is not whole
    bool stuck_ = false;    ///< the last line waited in vain
    Kind kind_ = Kind::file;
};

}  // namespace sallyport::host::log
