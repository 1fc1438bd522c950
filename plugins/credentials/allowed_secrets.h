// Which secrets the other plugins may see.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include <sallyport/settings.h>

namespace sallyport::plugins {

/// What `plugin.<name>.secrets` says. [any thread; immutable]
class AllowedSecrets {
public:
    /// @throws RequestError for a name that no secret can have, which stops the start.
    explicit AllowedSecrets(const Settings& settings);

    /// @param secret its name as it is stored. @throws RequestError 403 unless the plugin may see it.
    void require(std::string_view plugin, const std::string& secret) const;

private:
    std::map<std::string, std::set<std::string>, std::less<>> limits_;  ///< of those that may not see all
};

}  // namespace sallyport::plugins
