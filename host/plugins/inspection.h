// Looking at plugins without running them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/plugins/declaration.h"
#include "host/plugins/plugin_sources.h"
#include "host/trust/trust.h"

namespace sallyport::host::plugins {

/// What can be said of a plugin file, or of a directory of them, before any of its code runs. Whether it also
/// starts, only starting it tells.
struct Inspected {
    std::string file;
    std::string sha256;                        ///< empty when it cannot be read
    std::optional<Declaration> declaration;    ///< nothing when it cannot be read
    std::vector<Setting> settings;             ///< the keys that it reads
    std::shared_ptr<const std::string> bytes;  ///< keeps the settings' texts
    bool disabled = false;                     ///< it is not loaded, whatever it is
    bool untrusted = false;                    ///< the first problem is who may change it where it lies
    std::vector<std::string> problems;         ///< why the daemon refuses it; empty: it does not
};

/// One file, wherever it is. @param trust of the daemon, whoever runs this.
[[nodiscard]] Inspected inspectFile(const std::string& file, const PluginSources& sources,
                                    const trust::Trust& trust);

/// All plugins of the directories. A directory that is refused is an entry, too.
[[nodiscard]] std::vector<Inspected> inspect(const PluginSources& sources, const trust::Trust& trust);

}  // namespace sallyport::host::plugins
