#include "key_ring.h"

#include <algorithm>
#include <cstring>

#include <sallyport/errors.h>
#include <sallyport/secrets.h>

#include "upstream/route.h"

namespace sallyport::plugins::llm {

namespace {

/// What the proxy on the way is told, `USER:PASSWORD`; empty if there is none or it is told nothing.
SecretText proxyLoginOf(const Provider& provider) {
    try {
        Route route = routeTo(Url::parse(provider.baseUrl), provider.endpoint, EnvironmentProxies());
        if (route.proxy) {
            return SecretText::taken(route.proxy->login);
        }
    } catch (const std::invalid_argument&) {
        // Nothing can be sent to it.
    }
    return {};
}

std::string_view passwordOf(std::string_view login) {
    return login.substr(std::min(login.find(':'), login.size() - 1) + 1);
}

}  // namespace

KeyRing::Key KeyRing::kept(const Provider& provider, Time now) {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(provider.name);
    if (entry != entries_.end() && entry->second.until > now) {
        return entry->second.key;
    }
    if (provider.key.kind != KeySource::Kind::none) {
        return nullptr;
    }
    const Key key = made(provider);
    entries_[provider.name] = {key, Time::max()};
    return key;
}

KeyRing::Key KeyRing::read(const Provider& provider, Time now) {
    const Key key = make(provider);
    const std::lock_guard lock(mutex_);
    entries_[provider.name] = {key, now + keep_};
    return key;
}

void KeyRing::examine(const Provider& provider) {
    if (isNear(provider.key) && provider.type != ProviderType::echo) {
        static_cast<void>(make(provider));
    }
}

/// Also keeps in mind what is wrong with it.
KeyRing::Key KeyRing::make(const Provider& provider) {
    try {
        Key key = made(provider);
        const std::lock_guard lock(mutex_);
        problems_.erase(provider.name);
        return key;
    } catch (const NoKey& error) {
        const std::lock_guard lock(mutex_);
        problems_[provider.name] = error.what();
        throw;
    }
}

KeyRing::Key KeyRing::made(const Provider& provider) const {
    auto result = std::make_shared<ProviderKey>();
    const SecretText proxyLogin = proxyLoginOf(provider);
    std::vector<std::string_view> secrets = {proxyLogin.reveal(), passwordOf(proxyLogin.reveal())};
    if (provider.key.kind == KeySource::Kind::none) {
        result->mask = SecretMask(secrets);
        return result;
    }
    const SecretText value = usableKey(provider, valueOf(provider.key));
    const std::string_view key = value.reveal();
    const std::string_view prefix = dialect(provider.type).keyHeader();
    SecretText line(prefix.size() + key.size());
    std::memcpy(line.bytes().data(), prefix.data(), prefix.size());
    std::memcpy(line.bytes().data() + prefix.size(), key.data(), key.size());
    result->line = std::make_shared<const SecretText>(std::move(line));
    secrets.push_back(key);
    result->mask = SecretMask(secrets);
    return result;
}

std::string KeyRing::trouble() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const auto& [provider, problem] : problems_) {
        text += (text.empty() ? "the key of " : "; the key of ") + provider + " is not to be had: " + problem;
    }
    return text;
}

void KeyRing::forget(const Provider& provider) {
    const std::lock_guard lock(mutex_);
    entries_.erase(provider.name);
}

SecretText KeyRing::valueOf(const KeySource& source) const {
    if (isNear(source)) {
        return readNear(source);
    }
    const auto vault = host_.find<SecretVault>();
    if (!vault) {
        throw NoKey("no secret store is loaded");
    }
    try {
        return vault->reveal("llm", source.user, source.name);
    } catch (const RequestError& error) {
        throw NoKey("the secret " + source.name + " of user " + source.user + ": " + error.what());
    }
}

}  // namespace sallyport::plugins::llm
