// The properties file, `-D` overrides and defaults, checked against the keys that are read.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/settings.h>

#include "host/trust/trust.h"

namespace sallyport::host::config {

/// A value that cannot be. what() names file (or `-D`), key, value and what was expected.
class BadValue : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// All keys that are set, from one file and `-D key=value`. Immutable once read. [any thread]
class Configuration {
public:
    using Overrides = std::vector<std::pair<std::string, std::string>>;

    /// @param file empty for none: defaults and overrides only.
    /// @param trust whose file it may be; nothing for anybody's.
    /// @throws BadValue if the file cannot be read or trusted or sets a key twice, or `${…}` names nothing.
    Configuration(const std::string& file, const Overrides& overrides,
                  const std::optional<trust::Trust>& trust = trust::Trust());

    /// The checked values of the keys declared below `prefix` (`worker`, `prompts`; empty for keys that
    /// are declared whole, as the host's own are).
    /// @throws BadValue for the first value that cannot be, std::logic_error for such a default.
    [[nodiscard]] std::shared_ptr<const Settings> settings(std::string_view prefix,
                                                           std::span<const Setting> declared) const;

    /// The keys that are set below `prefix`, whole, and their values.
    [[nodiscard]] std::map<std::string, std::string> below(std::string_view prefix) const;

    /// One sentence for each key that is set and that nothing in `known` (whole keys, `*` for any one
    /// segment) declares, with the nearest known key. Keys whose first segment is in `absent` (plugins
    /// that are not loaded) are left out.
    [[nodiscard]] std::vector<std::string> unknownKeys(const std::vector<std::string>& known,
                                                       const std::vector<std::string>& absent = {}) const;

    /// Where the key's value came from, for sentences: the file's path, `-D` or `default`.
    [[nodiscard]] std::string origin(const std::string& key) const;

    /// The error for a value that only its reader can judge, such as a listen address.
    /// @param expected goes after the word "expected".
    [[nodiscard]] BadValue badValue(const std::string& key, const std::string& expected) const;

    [[nodiscard]] const std::string& file() const noexcept { return file_; }

private:
    std::string file_;
    std::map<std::string, std::string> values_;
    std::map<std::string, std::string> origins_;
};

}  // namespace sallyport::host::config
