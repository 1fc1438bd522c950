#include "tls_contexts.h"

#include <array>
#include <stdexcept>

#include <openssl/err.h>

namespace sallyport::plugins::llm {

namespace {

constexpr std::chrono::hours contextLifetime{1};

/// RFC 7301: the one protocol that is spoken here.
constexpr std::array<unsigned char, 9> alpnHttp11 = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

std::shared_ptr<SSL_CTX> make(const std::string& caFile) {
    ERR_clear_error();
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
    if (!context) {
        throw std::runtime_error("OpenSSL has no context to give: " + takeTlsErrors());
    }
    const bool loaded = caFile.empty()
                            ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                            : SSL_CTX_load_verify_locations(context.get(), caFile.c_str(), nullptr) == 1;
    if (!loaded) {
        throw std::runtime_error("no certificates can be read from " +
                                 (caFile.empty() ? "the system's store" : caFile) + ": " + takeTlsErrors());
    }
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    // An authority may be named that has been certified by another one itself.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.get()), X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    // RFC 9325 section 3.5: nobody needs it, and each costs a handshake on the loop.
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    // A record's head and the rest of it, and what comes behind it, are one read.
    SSL_CTX_set_read_ahead(context.get(), 1);
    SSL_CTX_set_alpn_protos(context.get(), alpnHttp11.data(), alpnHttp11.size());
    return context;
}

}  // namespace

std::shared_ptr<SSL_CTX> TlsContexts::trusting(const std::string& caFile) {
    const Time now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[caFile];
    if (!entry.context || now - entry.made > contextLifetime) {
        entry.context.reset();
        entry = {make(caFile), now};
    }
    return entry.context;
}

std::string takeTlsErrors() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason == nullptr ? "no reason given" : reason;
}

}  // namespace sallyport::plugins::llm
