// What may be named in a grant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grant.h"

namespace sallyport::plugins {

/// The name of a secret as it is stored: letters in lower case. @param field as a refusal names it.
/// @throws RequestError 422 unless it has 1 to 128 of `a-z 0-9 _ . -`, not dots alone.
[[nodiscard]] std::string normalisedName(std::string_view name, std::string_view field);

/// Which environment variables a worker may be told to put a secret into. Some decide what code a program
/// runs: whoever could choose their value would own the sandbox. [any thread; immutable]
class VariableRules {
public:
    /// @param refused names, and beginnings of names that end in `*`.
    explicit VariableRules(std::vector<std::string> refused) : refused_(std::move(refused)) {}

    /// @throws RequestError 422 unless it is a name as POSIX has them (IEEE Std 1003.1, section 8.1).
    static void requireName(std::string_view variable);
    [[nodiscard]] bool refuses(std::string_view variable) const;

private:
    std::vector<std::string> refused_;
};

/// The same grants with normalised names.
/// @throws RequestError 422 for a malformed name, and for a variable that is named twice.
[[nodiscard]] std::vector<Grant> normalisedGrants(const std::vector<Grant>& grants);

}  // namespace sallyport::plugins
