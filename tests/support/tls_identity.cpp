#include "tests/support/tls_identity.h"

#include <atomic>
#include <stdexcept>

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace sallyport::tests {

namespace {

constexpr long day = 24L * 60 * 60;

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeExtension {
    void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
};

template <class T>
T checked(T result) {
    if (!result) {
        throw std::runtime_error("OpenSSL could not make a certificate");
    }
    return result;
}

template <class Write>
std::string pem(Write write) {
    const std::unique_ptr<BIO, FreeBio> memory(checked(BIO_new(BIO_s_mem())));
    checked(write(memory.get()));
    char* text = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

std::string pem(X509* certificate) {
    return pem([certificate](BIO* memory) { return PEM_write_bio_X509(memory, certificate); });
}

std::string pem(EVP_PKEY* key) {
    return pem([key](BIO* memory) {
        return PEM_write_bio_PrivateKey(memory, key, nullptr, nullptr, 0, nullptr, nullptr);
    });
}

EVP_PKEY* newKey() {
    return checked(EVP_EC_gen("P-256"));
}

void addExtension(X509* certificate, int nid, const std::string& value) {
    const std::unique_ptr<X509_EXTENSION, FreeExtension> extension(
        checked(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str())));
    checked(X509_add_ext(certificate, extension.get(), -1));
}

std::string alternativeName(const std::string& name) {
    in_addr address{};
    return (::inet_pton(AF_INET, name.c_str(), &address) == 1 ? "IP:" : "DNS:") + name;
}

/// Unsigned, and without an issuer's name.
X509* newCertificate(EVP_PKEY* key, const std::string& name, bool valid) {
    static std::atomic<long> serial{1};
    X509* const certificate = checked(X509_new());
    checked(X509_set_version(certificate, X509_VERSION_3));
    checked(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++));
    checked(X509_gmtime_adj(X509_getm_notBefore(certificate), -2 * day));
    checked(X509_gmtime_adj(X509_getm_notAfter(certificate), valid ? day : -day));
    checked(X509_set_pubkey(certificate, key));
    checked(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                       reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0));
    return certificate;
}

void sign(X509* certificate, const X509* issuer, EVP_PKEY* issuerKey) {
    checked(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)));
    checked(X509_sign(certificate, issuerKey, EVP_sha256()));
}

/// A server's, signed by that issuer or, when there is none, by itself.
TlsIdentity newIdentity(std::string_view name, bool valid, const X509* issuer, EVP_PKEY* issuerKey) {
    const std::string subject(name);
    const std::unique_ptr<EVP_PKEY, FreeOpenssl> key(newKey());
    const std::unique_ptr<X509, FreeOpenssl> certificate(newCertificate(key.get(), subject, valid));
    addExtension(certificate.get(), NID_subject_alt_name, alternativeName(subject));
    sign(certificate.get(), issuer == nullptr ? certificate.get() : issuer,
         issuerKey == nullptr ? key.get() : issuerKey);
    return {pem(certificate.get()), pem(key.get())};
}

}  // namespace

CertificateAuthority::CertificateAuthority()
    : key_(newKey()), certificate_(newCertificate(key_.get(), "An authority for tests", true)) {
    addExtension(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    addExtension(certificate_.get(), NID_key_usage, "critical,keyCertSign");
    sign(certificate_.get(), certificate_.get(), key_.get());
}

std::string CertificateAuthority::certificate() const {
    return pem(certificate_.get());
}

TlsIdentity CertificateAuthority::issue(std::string_view name, bool valid) const {
    return newIdentity(name, valid, certificate_.get(), key_.get());
}

TlsIdentity selfSigned(std::string_view name) {
    return newIdentity(name, true, nullptr, nullptr);
}

}  // namespace sallyport::tests
