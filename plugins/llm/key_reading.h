// Reading a provider's key, and whether it may be used.
#pragma once

#include <stdexcept>

#include <sallyport/secret_text.h>

#include "provider.h"

namespace sallyport::plugins::llm {

/// A key that cannot be had. what() goes on from the key's name; it is for the log and the operator and holds
/// no key.
class NoKey : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Whether the key is in a file or the environment, where reading it disturbs nobody.
[[nodiscard]] bool isNear(const KeySource& source);

/// The key of a source that is near, as it stands there. @throws NoKey
[[nodiscard]] SecretText readNear(const KeySource& source);

/// The key as the provider is sent it, without the blanks around it. @throws NoKey for one that must not be
/// used.
[[nodiscard]] SecretText usableKey(const Provider& provider, const SecretText& text);

}  // namespace sallyport::plugins::llm
