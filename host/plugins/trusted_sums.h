// The only plugins that may be loaded.
#pragma once

#include <set>
#include <stdexcept>
#include <string>

#include "host/trust/trust.h"

namespace sallyport::host::plugins {

/// SHA-256 sums, from a file as sha256sum(1) writes it: a sum and a name on each line. The names are for
/// people: a plugin is known by its sum, wherever it is and whatever it is called. Empty lines and those that
/// begin with # mean nothing. [any thread]
class TrustedSums {
public:
    /// @throws std::runtime_error a clause that says what is wrong with the file.
    TrustedSums(std::string file, const trust::Trust& trust);

    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] bool has(const std::string& sha256) const { return sums_.contains(sha256); }

private:
    void addLine(const std::string& line, std::size_t number);

    std::string file_;
    std::set<std::string> sums_;
};

/// Why a plugin with a sum that is not among them is refused, for the operator.
[[nodiscard]] std::string notListed(const TrustedSums& sums, const std::string& sha256);

}  // namespace sallyport::host::plugins
