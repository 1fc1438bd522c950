// Text made in a signal handler.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string_view>

#include <sallyport/job_id.h>

namespace sallyport::host::entry {

/// A line in a buffer of its own: no memory is asked for, no lock taken, nothing but system calls made. What
/// does not fit is left out. [signal handlers]
class SignalText {
public:
    void append(std::string_view text) noexcept {
        for (const char c : text) {
            append(c);
        }
    }
    void append(char c) noexcept {
        if (size_ < buffer_.size()) {
            buffer_[size_++] = c;
        }
    }
    /// With what neither a log line nor JSON can take as it stands replaced by `?`.
    void appendPlain(std::string_view text) noexcept;
    void appendNumber(std::uint64_t number, std::size_t digits = 1) noexcept;
    /// As rfc3339 writes it, in UTC with milliseconds.
    void appendTime(const timespec& time) noexcept;
    void appendJob(const JobId& job) noexcept;

    [[nodiscard]] std::string_view text() const noexcept { return {buffer_.data(), size_}; }

    /// As much of it as the descriptor takes.
    void writeTo(int descriptor) const noexcept;

private:
    std::array<char, 2048> buffer_{};
    std::size_t size_ = 0;
};

}  // namespace sallyport::host::entry
