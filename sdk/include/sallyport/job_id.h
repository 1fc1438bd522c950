// The identity of a job.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport {

/// A job's UUID (RFC 9562). A value type, compared by its bytes. [any thread]
class JobId {
public:
    /// In network order, as RFC 9562 numbers them.
    using Bytes = std::array<std::uint8_t, 16>;

    /// The nil UUID. No job has it.
    JobId() = default;
    /// The UUID of these bytes, whatever its version.
    explicit JobId(const Bytes& bytes) : bytes_(bytes) {}

    /// Reads the forms that Rust's `Uuid::parse_str` takes, letters in any case: hyphenated, 32 hex
    /// digits, `urn:uuid:` and hyphenated, braces around hyphenated. Nothing for any other text.
    [[nodiscard]] static std::optional<JobId> parse(std::string_view text);

    /// A random version-4 UUID from the system's entropy.
    [[nodiscard]] static JobId random();

    /// The hyphenated lower-case form, 36 characters.
    [[nodiscard]] std::string str() const;

    /// The 16 bytes.
    [[nodiscard]] const Bytes& bytes() const noexcept { return bytes_; }

    /// By the bytes.
    // NOLINTNEXTLINE(modernize-use-nullptr): what it means is a zero that the compiler writes
    auto operator<=>(const JobId&) const = default;

private:
    Bytes bytes_{};
};

}  // namespace sallyport

/// For unordered containers.
template <>
struct std::hash<sallyport::JobId> {
    /// Of the id's bytes.
    std::size_t operator()(const sallyport::JobId& id) const noexcept;
};
