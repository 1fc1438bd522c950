// The providers' keys, ready to be sent.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <sallyport/host.h>
#include <sallyport/secret_text.h>

#include "key_reading.h"
#include "provider.h"
#include "secret_mask.h"

namespace sallyport::plugins::llm {

/// What a provider is told in secret.
struct ProviderKey {
    /// A whole header line: `Authorization: Bearer …`. Null where the provider needs none.
    std::shared_ptr<const SecretText> line{};
    /// Of the key, and of the name and password that a proxy on the way is told.
    SecretMask mask{};
};

/// Gives the header line with a provider's key. Each reading of the vault is an entry in the audit trail,
/// durable before the key is out; so that not every call waits for the disk, a key is kept for a while. [any
/// thread]
class KeyRing {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Key = std::shared_ptr<const ProviderKey>;

    /// @param keep how long a key is used before its source is asked again.
    KeyRing(Host& host, std::chrono::milliseconds keep) : host_(host), keep_(keep) {}

    /// The key if it can be had without waiting: it is kept, or the provider needs none. Otherwise null.
    [[nodiscard]] Key kept(const Provider& provider, Time now);

    /// Reads the key. May block on the disk. @throws NoKey
    [[nodiscard]] Key read(const Provider& provider, Time now);

    /// Reads the key where that disturbs nobody, in a file or the environment, and forgets it. @throws NoKey
    void examine(const Provider& provider);

    /// The provider refused the key: the next call reads it anew.
    void forget(const Provider& provider);

    /// Why the keys of which providers could not be read the last time; empty if all could.
    [[nodiscard]] std::string trouble() const;

private:
    struct Entry {
        Key key;
        Time until;
    };

    [[nodiscard]] Key make(const Provider& provider);
    [[nodiscard]] Key made(const Provider& provider) const;
    [[nodiscard]] SecretText valueOf(const KeySource& source) const;

    Host& host_;
    const std::chrono::milliseconds keep_;
    mutable std::mutex mutex_;
    std::map<std::string, Entry> entries_;         ///< by provider
    std::map<std::string, std::string> problems_;  ///< likewise
};

}  // namespace sallyport::plugins::llm
