// Whom TLS connections trust.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <openssl/ssl.h>

namespace sallyport::plugins::llm {

/// OpenSSL contexts for clients, one for each set of authorities. [any thread]
class TlsContexts {
public:
    /// A context for connections whose peers are to be verified. It is made anew after an hour, so that
    /// changes of the certificates are noticed.
    /// @param caFile PEM, the only authorities trusted; empty: the system's.
    /// @throws std::runtime_error with a sentence when the file cannot be used.
    [[nodiscard]] std::shared_ptr<SSL_CTX> trusting(const std::string& caFile);

private:
    using Time = std::chrono::steady_clock::time_point;

    struct Entry {
        std::shared_ptr<SSL_CTX> context;
        Time made;
    };

    std::mutex mutex_;
    std::map<std::string, Entry> entries_;  ///< by file
};

/// A line about OpenSSL's oldest error of this thread, and takes all of them away.
[[nodiscard]] std::string takeTlsErrors();

}  // namespace sallyport::plugins::llm
