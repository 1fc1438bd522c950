#include "host/plugins/inspection.h"

#include <algorithm>
#include <map>

#include <sys/stat.h>

#include "host/plugins/object_file.h"
#include "host/plugins/plugin_file.h"

namespace sallyport::host::plugins {

namespace {

/// The file, even if it is not trusted, so that all can be said that is wrong with it.
std::optional<PluginFile> readAnyway(Inspected& inspected, const trust::Trust& trust) {
    try {
        return readPluginFile(inspected.file, trust);
    } catch (const Refused& refused) {
        inspected.problems.emplace_back(refused.what());
    }
    try {
        auto read = readPluginFile(inspected.file, std::nullopt);
        inspected.untrusted = true;
        return read;
    } catch (const Refused& refused) {
        if (inspected.problems.front() != refused.what()) {
            inspected.problems.emplace_back(refused.what());
        }
    }
    return std::nullopt;
}

/// A copy that was made with a narrow umask is read by whoever runs this, and not by the daemon.
void requireReadable(Inspected& inspected, const trust::Trust& trust) {
    struct stat status {};
    if (::stat(inspected.file.c_str(), &status) != 0 || trust.user() == 0 || status.st_uid == trust.user() ||
        (status.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        return;
    }
    inspected.problems.push_back("the daemon, user " + std::to_string(trust.user()) +
                                 ", cannot read it; run chmod a+r " + inspected.file);
}

}  // namespace

Inspected inspectFile(const std::string& file, const PluginSources& sources, const trust::Trust& trust) {
    Inspected inspected;
    inspected.file = file;
    const auto read = readAnyway(inspected, trust);
    if (!read) {
        return inspected;
    }
    requireReadable(inspected, trust);
    inspected.sha256 = read->sha256;
    inspected.bytes = read->bytes;
    try {
        const ObjectFile object(*read->bytes);
        inspected.declaration = declarationIn(object);
        inspected.disabled = sources.isDisabled(inspected.declaration->name);
        inspected.settings = settingsIn(object);
    } catch (const Refused& refused) {
        inspected.problems.emplace_back(refused.what());
    }
    if (sources.trusted && !sources.trusted->has(read->sha256)) {
        inspected.problems.push_back(notListed(*sources.trusted, read->sha256));
    }
    return inspected;
}

std::vector<Inspected> inspect(const PluginSources& sources, const trust::Trust& trust) {
    std::vector<Inspected> found;
    std::map<std::string, std::string> names;
    for (const auto& directory : sources.directories) {
        try {
            for (const auto& file : pluginFilesIn(directory, trust)) {
                auto& entry = found.emplace_back(inspectFile(file, sources, trust));
                if (!entry.declaration || entry.disabled || !entry.problems.empty()) {
                    continue;
                }
                const auto [first, added] = names.emplace(entry.declaration->name, file);
                if (!added) {
                    entry.problems.push_back("a plugin named " + first->first + " is in " + first->second);
                }
            }
        } catch (const Refused& refused) {
            found.emplace_back().file = directory;
            found.back().problems.emplace_back(refused.what());
        }
    }
    return found;
}

}  // namespace sallyport::host::plugins
