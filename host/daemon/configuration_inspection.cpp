#include "host/daemon/configuration_inspection.h"

#include <filesystem>
#include <span>

#include "host/config/host_settings.h"

namespace sallyport::host {

namespace {

bool isLoaded(const plugins::Inspected& inspected) {
    return inspected.problems.empty() && !inspected.disabled;
}

void addKeys(std::vector<std::string>& keys, std::span<const Setting> settings, const std::string& prefix) {
    for (const auto& setting : settings) {
        keys.push_back(prefix + setting.key);
    }
}

}  // namespace

InspectedConfiguration inspectConfiguration(const config::Configuration& configuration,
                                            const HostOptions& options, const trust::Trust& trust) {
    InspectedConfiguration inspection;
    inspection.plugins = plugins::inspect(options.plugins, trust);

    std::vector<std::string> known;
    addKeys(known, config::hostSettings(), "");
    std::vector<std::string> absent = options.plugins.disabled;
    for (const auto& inspected : inspection.plugins) {
        if (!inspected.problems.empty()) {
            absent.push_back(std::filesystem::path(inspected.file).stem());
        }
        if (!isLoaded(inspected)) {
            continue;
        }
        const auto& name = inspected.declaration->name;
        addKeys(known, inspected.settings, name + ".");
        try {
            static_cast<void>(configuration.settings(name, inspected.settings));
        } catch (const config::BadValue& bad) {
            inspection.badValues.emplace_back(bad.what());
        }
    }
    inspection.unknownKeys = configuration.unknownKeys(known, absent);
    return inspection;
}

}  // namespace sallyport::host
