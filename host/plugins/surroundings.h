// What a plugin that looks itself over is told of what is around it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sallyport/ext/examination.h>

#include "host/store/database_file.h"

namespace sallyport::host::plugins {

/// The same for all plugins that are examined together, but for what is asked by a plugin's name.
struct Surroundings {
    Examination::Scope scope = Examination::Scope::everything;
    bool network = false;  ///< whether other machines may be spoken to
    std::string dataDirectory;
    bool daemonsRights = true;
    std::string user;  ///< whose rights those are
    /// Opens the database; empty: there is none that may be read. @throws StoreError
    std::function<std::unique_ptr<store::DatabaseFile>()> openDatabase{};
    std::function<Examination::Given(std::string_view name)> credential;
    std::function<Examination::Given(const std::string& name)> variable;
    std::function<std::optional<Examination::Running>(const std::string& plugin)> running;
};

/// What plugins that are examined together offer to each other.
using ExaminedServices = std::map<std::string, std::shared_ptr<void>, std::less<>>;

}  // namespace sallyport::host::plugins
