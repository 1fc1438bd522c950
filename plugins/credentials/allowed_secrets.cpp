#include "allowed_secrets.h"

#include <sallyport/errors.h>

#include "grant_rules.h"

namespace sallyport::plugins {

AllowedSecrets::AllowedSecrets(const Settings& settings) {
    for (const std::string& plugin : settings.names("plugin")) {
        const std::string key = "plugin." + plugin + ".secrets";
        std::set<std::string>& secrets = limits_[plugin];
        for (const std::string& name : settings.list(key)) {
            secrets.insert(normalisedName(name, "credentials." + key));
        }
    }
}

void AllowedSecrets::require(std::string_view plugin, const std::string& secret) const {
    const auto limits = limits_.find(plugin);
    if (limits != limits_.end() && !limits->second.contains(secret)) {
        throw RequestError(403, "secret_not_allowed",
                           "the configuration does not let this plugin see that secret");
    }
}

}  // namespace sallyport::plugins
