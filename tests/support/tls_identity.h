// Certificates made while a test runs.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/evp.h>
#include <openssl/x509.h>

namespace sallyport::tests {

/// What a TLS server shows, and the key that proves it. PEM.
struct TlsIdentity {
    std::string certificate;
    std::string key;
};

struct FreeOpenssl {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
};

/// An authority of a test's own.
class CertificateAuthority {
public:
    CertificateAuthority();

    /// For a client to trust. PEM.
    [[nodiscard]] std::string certificate() const;
    /// @param name a host name or an IPv4 address; @param valid false: its time is over already
    [[nodiscard]] TlsIdentity issue(std::string_view name, bool valid = true) const;

private:
    std::unique_ptr<EVP_PKEY, FreeOpenssl> key_;
    std::unique_ptr<X509, FreeOpenssl> certificate_;
};

/// Signed by itself.
[[nodiscard]] TlsIdentity selfSigned(std::string_view name);

}  // namespace sallyport::tests
