// A note of the audit trail's last entry, outside the database.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include <sallyport/file_descriptor.h>
#include <sallyport/store.h>

namespace sallyport::plugins {

/// How far the audit trail goes: the number of its last entry, and that entry's hash.
struct AuditHead {
    std::int64_t entries = 0;
    Bytes hash = Bytes(32, 0);
};

/// Keeps the head in a small file, so that a database whose trail was cut can be told from a whole one. It
/// may lag behind after a power cut, and is never ahead of what is durable. [any thread]
class AuditAnchor {
public:
    explicit AuditAnchor(std::string file) : file_(std::move(file)) {}

    [[nodiscard]] const std::string& file() const noexcept { return file_; }

    /// What was noted last; nothing when there is no file. @throws std::runtime_error when it cannot be read
    /// or says something else.
    [[nodiscard]] std::optional<AuditHead> read() const;

    /// Notes a head that is durable in the database, unless a later one was noted. @return false when the
    /// file cannot be written.
    bool note(const AuditHead& head);

private:
    const std::string file_;
    std::mutex mutex_;
    FileDescriptor descriptor_;
    std::int64_t noted_ = -1;
};

[[nodiscard]] std::string hex(const Bytes& bytes);

}  // namespace sallyport::plugins
