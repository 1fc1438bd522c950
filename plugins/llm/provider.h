// Where models are to be had.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/settings.h>

#include "dialect.h"
#include "model_pattern.h"
#include "upstream/upstream.h"

namespace sallyport::plugins::llm {

/// Where a provider's key is kept: `secret:NAME` or `secret:USER/NAME` in the vault, `env:NAME` in the
/// daemon's environment, `file:PATH` in a file.
struct KeySource {
    enum class Kind { none, secret, environment, file };
    Kind kind = Kind::none;
    std::string user;  ///< whose secret; `default` unless it was named
    std::string name;  ///< of the secret or variable, or the path
};

/// @throws std::invalid_argument with a sentence.
[[nodiscard]] KeySource readKeySource(std::string_view text);

/// Of a key in characters. What is shorter may be a word, and is not masked.
constexpr std::size_t shortestKey = 8;

/// Models that a provider serves, and what it calls them.
class ServedModels {
public:
    ServedModels() = default;
    /// @param words `MODEL` or `MODEL=NAME`; a `*` at the end of MODEL stands for anything, and the closest
    ///              entry counts. None: every model is served, as it is asked for.
    /// @throws std::invalid_argument with a sentence.
    explicit ServedModels(const std::vector<std::string>& words);

    /// The provider's name for the model; nothing when it does not serve it.
    [[nodiscard]] std::optional<std::string> nameOf(std::string_view model) const;

private:
    struct Entry {
        ModelPattern pattern;
        std::string name;  ///< empty: as asked for
    };
    std::vector<Entry> entries_;
};

/// One entry of `llm.providers`.
struct Provider {
    std::string name;
    ProviderType type = ProviderType::echo;
    std::string baseUrl;  ///< without a slash at its end
    std::string model;    ///< when a request names none; empty: then it must
    ServedModels models;
    KeySource key;
    Endpoint endpoint;
    std::string script;  ///< of an echo: the file it plays
};

/// Whether the provider is on this machine and reached without a proxy.
[[nodiscard]] bool isOnLoopback(const Provider& provider);

/// Why the key must not be used, as the rest of a sentence about it; empty if it may. It may be masked in
/// answers only if it cannot be mistaken for a word.
[[nodiscard]] std::string problemWithKey(const Provider& provider, std::string_view key);

/// The configured providers in order of failover; the built-in echo alone when there is none.
/// @throws std::invalid_argument with a sentence that names the key.
[[nodiscard]] std::vector<Provider> readProviders(const Settings& settings);

}  // namespace sallyport::plugins::llm
