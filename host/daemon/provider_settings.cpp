#include "host/daemon/provider_settings.h"

#include <cstdlib>
#include <stdexcept>

#include "plugins/llm/key_reading.h"
#include "plugins/llm/provider.h"

namespace sallyport::host {

namespace {

namespace llm = sallyport::plugins::llm;

bool canBeRead(const llm::KeySource& source) {
    return isNear(source) &&
           (source.kind != llm::KeySource::Kind::environment || std::getenv(source.name.c_str()) != nullptr);
}

}  // namespace

std::vector<std::string> problemsOfProviders(const Settings& settings) {
    std::vector<std::string> problems;
    try {
        for (const auto& provider : llm::readProviders(settings)) {
            if (provider.type == llm::ProviderType::echo || !canBeRead(provider.key))
                continue;
            try {
                static_cast<void>(usableKey(provider, readNear(provider.key)));
            } catch (const llm::NoKey& problem) {
                problems.push_back("llm.provider." + provider.name +
                                   ".key: the key cannot be used: " + problem.what());
            }
        }
    } catch (const std::invalid_argument& wrong) {
        problems.push_back(std::string(wrong.what()) + "; the plugin llm does not start with that");
    }
    return problems;
}

}  // namespace sallyport::host
