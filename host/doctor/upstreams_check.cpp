#include <algorithm>
#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <curl/curl.h>

#include "host/doctor/checks.h"
#include "plugins/llm/provider.h"
#include "plugins/llm/upstream/route.h"

namespace sallyport::host::doctor {

namespace {

using sallyport::plugins::llm::Provider;
using sallyport::plugins::llm::ProviderType;

constexpr const char* check = "upstream";
constexpr std::chrono::milliseconds patience{10'000};

struct Free {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};

/// What to do about it.
std::string advice(CURLcode result, const Provider& provider) {
    const std::string prefix = "llm.provider." + provider.name + ".";
    switch (result) {
        case CURLE_COULDNT_RESOLVE_HOST:
            return "see that " + prefix + "base_url is right and that this machine can look names up";
        case CURLE_COULDNT_RESOLVE_PROXY:
            return "see that " + prefix + "proxy (or https_proxy) is right";
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_ISSUER_ERROR:
            return "it is not shown to be who it should be, and gets no key: see that " + prefix +
                   "base_url has its right name, and let " + prefix +
                   "ca_file be the authority's certificate if that is one of your own (else install "
                   "ca-certificates)";
        case CURLE_SSL_CACERT_BADFILE:
            return "let " + prefix + "ca_file be a readable file of certificates (PEM)";
        case CURLE_SSL_CONNECT_ERROR:
            return "see that " + prefix + "base_url should be https at all";
        default:
            return "see that it is up, that " + prefix +
                   "base_url is right, and that firewall and proxy let this machine through";
    }
}

/// The proxy that the plugin would use; empty if none. @throws std::invalid_argument for one that it cannot.
std::string proxyOf(const Provider& provider) {
    using namespace sallyport::plugins::llm;
    const EnvironmentProxies environment;
    const Url url = Url::parse(provider.baseUrl);
    static_cast<void>(routeTo(url, provider.endpoint, environment));  // which looks whether it can be used
    return std::string(proxyFor(url, provider.endpoint, environment));
}

/// Connects to where the plugin does, up to where a request would begin, which is not sent.
/// @return the problem; empty if there is none.
std::string problemWith(const Provider& provider) {
    const std::unique_ptr<CURL, Free> handle(curl_easy_init());
    if (!handle) {
        throw std::runtime_error("libcurl has no handle to give");
    }
    std::string proxy;
    try {
        proxy = proxyOf(provider);
    } catch (const std::invalid_argument& wrong) {
        return std::string(wrong.what()) + ": " + advice(CURLE_COULDNT_RESOLVE_PROXY, provider);
    }
    std::array<char, CURL_ERROR_SIZE> error{};
    const auto set = [&handle](CURLoption option, auto value) {
        if (const CURLcode result = curl_easy_setopt(handle.get(), option, value); result != CURLE_OK) {
            throw std::runtime_error(curl_easy_strerror(result));
        }
    };
    set(CURLOPT_CONNECT_ONLY, 1L);
    set(CURLOPT_ERRORBUFFER, error.data());
    set(CURLOPT_URL, provider.baseUrl.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(provider.endpoint.connect, patience).count()));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!provider.endpoint.caFile.empty()) {
        set(CURLOPT_CAINFO, provider.endpoint.caFile.c_str());
        set(CURLOPT_CAPATH, nullptr);
    }
    set(CURLOPT_PROXY, proxy.c_str());
    set(CURLOPT_NOPROXY, "");
    const CURLcode result = curl_easy_perform(handle.get());
    if (result == CURLE_OK) {
        return "";
    }
    const std::string said = error.front() != '\0' ? error.data() : curl_easy_strerror(result);
    return said + ": " + advice(result, provider);
}

std::vector<Provider> providersOf(const Subject& subject) {
    const auto settings = subject.settingsOf("llm");
    try {
        return settings ? sallyport::plugins::llm::readProviders(*settings) : std::vector<Provider>();
    } catch (const std::invalid_argument&) {
        return {};  // said of the configuration
    }
}

}  // namespace

void checkUpstreams(const Subject& subject, Report& report) {
    std::vector<Provider> providers = providersOf(subject);
    std::erase_if(providers, [](const Provider& provider) { return provider.type == ProviderType::echo; });
    if (providers.empty()) {
        return;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    // All at once, so that the slowest decides how long it takes.
    std::vector<std::future<std::string>> problems;
    problems.reserve(providers.size());
    for (const Provider& provider : providers) {
        problems.push_back(std::async(std::launch::async, problemWith, std::cref(provider)));
    }
    for (std::size_t i = 0; i < providers.size(); ++i) {
        std::string line = providers[i].name;
        line.append(" (").append(providers[i].baseUrl).append(")");
        const std::string problem = problems[i].get();
        if (problem.empty()) {
            report.ok(check, line.append(" can be reached"));
        } else {
            report.fail(check, line.append(": ").append(problem));
        }
    }
}

}  // namespace sallyport::host::doctor
