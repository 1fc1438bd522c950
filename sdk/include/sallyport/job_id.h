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
    using Bytes = std::array<std::uint8_t, 16>;

    /// The nil UUID. No job has it.
    JobId() = default;
    explicit JobId(const Bytes& bytes) : bytes_(bytes) {}

    /// Reads the forms that Rust's `Uuid::parse_str` takes, letters in any case: hyphenated, 32 hex
    /// digits, `urn:uuid:` and hyphenated, braces around hyphenated. Nothing for any other text.
    [[nodiscard]] static std::optional<JobId> parse(std::string_view text);

    /// A random version-4 UUID from the system's entropy.
    [[nodiscard]] static JobId random();

    /// The hyphenated lower-case form, 36 characters.
    [[nodiscard]] std::string str() const;

    [[nodiscard]] const Bytes& bytes() const noexcept { return bytes_; }

    auto operator<=>(const JobId&) const = default;

private:
    Bytes bytes_{};
};

}  // namespace sallyport

template <>
struct std::hash<sallyport::JobId> {
    std::size_t operator()(const sallyport::JobId& id) const noexcept;
};
