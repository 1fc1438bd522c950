#include "provider.h"

#include <stdexcept>

#include <Poco/Exception.h>
#include <Poco/Net/IPAddress.h>
#include <Poco/URI.h>

#include "upstream/route.h"

namespace sallyport::plugins::llm {

namespace {

struct TypeName {
    std::string_view word;
    ProviderType type;
    const char* baseUrl;
};

constexpr TypeName typeNames[] = {
    {"openai", ProviderType::openai, "https://api.openai.com/v1"},
    {"anthropic", ProviderType::anthropic, "https://api.anthropic.com"},
    {"ollama", ProviderType::ollama, "http://127.0.0.1:11434"},
    {"echo", ProviderType::echo, ""},
};

/// A sentence that says which key is wrong.
std::invalid_argument wrong(const std::string& key, const std::string& problem) {
    return std::invalid_argument("llm." + key + " " + problem);
}

const TypeName& readType(const Settings& settings, const std::string& key) {
    const std::string word = settings.text(key);
    for (const TypeName& entry : typeNames) {
        if (entry.word == word) {
            return entry;
        }
    }
    throw wrong(key, word.empty() ? "is not set: openai, anthropic, ollama or echo"
                                  : "is " + word + ", expected openai, anthropic, ollama or echo");
}

std::string readBaseUrl(const Settings& settings, const std::string& key, const char* fallback) {
    std::string text = settings.text(key);
    if (text.empty()) {
        return fallback;
    }
    while (text.ends_with('/')) {
        text.pop_back();
    }
    try {
        const Poco::URI url(text);
        if ((url.getScheme() != "http" && url.getScheme() != "https") || url.getHost().empty() ||
            !url.getUserInfo().empty() || !url.getRawQuery().empty() || !url.getFragment().empty()) {
            throw wrong(key, "is no address such as https://api.example.com/v1");
        }
    } catch (const Poco::SyntaxException&) {
        throw wrong(key, "is no address such as https://api.example.com/v1");
    }
    return text;
}

template <class F>
auto reading(const std::string& key, F read) {
    try {
        return read();
    } catch (const std::invalid_argument& error) {
        throw wrong(key, error.what());
    }
}

Provider readProvider(const Settings& settings, const std::string& name) {
    const std::string prefix = "provider." + name + ".";
    const TypeName& type = readType(settings, prefix + "type");
    Provider provider;
    provider.name = name;
    provider.type = type.type;
    provider.baseUrl = readBaseUrl(settings, prefix + "base_url", type.baseUrl);
    provider.model = settings.text(prefix + "model");
    provider.models =
        reading(prefix + "models", [&] { return ServedModels(settings.list(prefix + "models")); });
    provider.key = reading(prefix + "key", [&] { return readKeySource(settings.text(prefix + "key")); });
    provider.script = settings.text(prefix + "script");
    const std::string proxy = settings.text(prefix + "proxy");
    if (!proxy.empty()) {
        reading(prefix + "proxy", [&] { return Proxy::parse(proxy); });
    }
    provider.endpoint = {.caFile = settings.text(prefix + "ca_file"),
                         .proxy = proxy,
                         .connect = settings.duration("timeout.connect"),
                         .firstByte = settings.duration("timeout.first_byte"),
                         .idle = settings.duration("timeout.idle"),
                         .total = settings.duration("timeout.total"),
                         .maxResponse = settings.size("max_response")};
    return provider;
}

}  // namespace

KeySource readKeySource(std::string_view text) {
    using Kind = KeySource::Kind;
    if (text.empty()) {
        return {};
    }
    const auto colon = text.find(':');
    const std::string_view scheme = text.substr(0, colon);
    const std::string name(colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1));
    if (!name.empty() && scheme == "env") {
        return {Kind::environment, "", name};
    }
    if (!name.empty() && scheme == "file") {
        return {Kind::file, "", name};
    }
    if (!name.empty() && scheme == "secret") {
        const auto slash = name.find('/');
        if (slash == std::string::npos) {
            return {Kind::secret, "default", name};
        }
        if (slash > 0 && slash + 1 < name.size()) {
            return {Kind::secret, name.substr(0, slash), name.substr(slash + 1)};
        }
    }
    // Not the value: it may be a key that was written here by mistake.
    throw std::invalid_argument("is none of secret:NAME, secret:USER/NAME, env:NAME and file:PATH");
}

ServedModels::ServedModels(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        const auto equals = word.find('=');
        Entry entry{ModelPattern(word.substr(0, equals)),
                    equals == std::string::npos ? "" : word.substr(equals + 1)};
        if (equals != std::string::npos && entry.name.empty()) {
            throw std::invalid_argument("has " + word + ", expected MODEL or MODEL=NAME");
        }
        entries_.push_back(std::move(entry));
    }
}

std::optional<std::string> ServedModels::nameOf(std::string_view model) const {
    if (entries_.empty()) {
        return std::string(model);
    }
    const Entry* const entry = closest(entries_, model);
    if (entry == nullptr) {
        return std::nullopt;
    }
    return entry->name.empty() ? std::string(model) : entry->name;
}

bool isOnLoopback(const Provider& provider) {
    try {
        const Route route = routeTo(Url::parse(provider.baseUrl), provider.endpoint, EnvironmentProxies());
        Poco::Net::IPAddress address;
        return !route.proxy &&
               (route.host == "localhost" || route.host.ends_with(".localhost") ||
                (Poco::Net::IPAddress::tryParse(route.host, address) && address.isLoopback()));
    } catch (const std::invalid_argument&) {
        return false;  // it cannot be reached at all
    }
}

std::string problemWithKey(const Provider& provider, std::string_view key) {
    if (key.size() >= shortestKey || provider.type == ProviderType::echo || isOnLoopback(provider)) {
        return {};
    }
    return "has fewer than " + std::to_string(shortestKey) +
           " characters, so that it could not be masked in an answer that repeats it: only a provider on "
           "this "
           "machine (127.0.0.1, localhost) may have such a key";
}

std::vector<Provider> readProviders(const Settings& settings) {
    std::vector<Provider> providers;
    for (const std::string& name : settings.list("providers")) {
        for (const Provider& earlier : providers) {
            if (earlier.name == name) {
                throw wrong("providers", "names " + name + " twice");
            }
        }
        providers.push_back(readProvider(settings, name));
    }
    if (providers.empty()) {
        Provider echo;
        echo.name = "echo";
        echo.model = "echo";
        providers.push_back(std::move(echo));
    }
    return providers;
}

}  // namespace sallyport::plugins::llm
