// What a plugin says about itself, read without running it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sallyport/settings.h>

#include "host/plugins/object_file.h"
#include "host/plugins/refused.h"

namespace sallyport::host::plugins {

/// The symbol under which a plugin exports its PluginDescriptor.
inline constexpr const char* pluginSymbol = "sallyport_plugin";

/// The descriptor that a plugin exports, of this ABI and complete.
struct Declaration {
    std::string name;
    std::string version;
    std::string summary;
};

/// @throws Refused if there is none, it is for another ABI, or it is not plain data.
[[nodiscard]] Declaration declarationIn(const ObjectFile& object);

/// The keys that it reads. Their texts are those of the file's bytes, and live as long.
/// @throws Refused as above.
[[nodiscard]] std::vector<Setting> settingsIn(const ObjectFile& object);

}  // namespace sallyport::host::plugins
