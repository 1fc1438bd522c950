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

#include "provider.h"

namespace sallyport::plugins::llm {

/// A key that cannot be had. what() is for the log and the operator; it holds no key.
class NoKey : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Gives the header line with a provider's key. Each reading of the vault is an entry in the audit trail,
/// durable before the key is out; so that not every call waits for the disk, a key is kept for a while. [any
/// thread]
class KeyRing {
public:
    using Time = std::chrono::steady_clock::time_point;
    /// A whole header line: `Authorization: Bearer …`.
    using HeaderLine = std::shared_ptr<const SecretText>;

    /// @param keep how long a key is used before its source is asked again.
    KeyRing(Host& host, std::chrono::milliseconds keep) : host_(host), keep_(keep) {}

    /// The line if it can be had without waiting: it is kept, or the provider needs none (null).
    [[nodiscard]] std::optional<HeaderLine> kept(const Provider& provider, Time now);

    /// Reads the key. May block on the disk. @throws NoKey
    [[nodiscard]] HeaderLine read(const Provider& provider, Time now);

    /// The provider refused the key: the next call reads it anew.
    void forget(const Provider& provider);

private:
    struct Entry {
        HeaderLine line;
        Time until;
    };

    [[nodiscard]] SecretText valueOf(const KeySource& source) const;

    Host& host_;
    const std::chrono::milliseconds keep_;
    std::mutex mutex_;
    std::map<std::string, Entry> entries_;  ///< by provider
};

}  // namespace sallyport::plugins::llm
