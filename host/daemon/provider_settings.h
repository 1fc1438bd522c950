// What only the plugin llm can judge of its settings, without the plugin.
#pragma once

#include <string>
#include <vector>

#include <sallyport/settings.h>

namespace sallyport::host {

/// What the plugin llm finds wrong with its providers when it starts, a sentence each: with what it does not
/// start at all, and which keys in files and in this process's environment it would not use. It is the
/// plugin's own code that looks, so that the two can never disagree. A variable that is not set here may be
/// set for the daemon; a key in the vault is read by nobody before it is needed.
[[nodiscard]] std::vector<std::string> problemsOfProviders(const Settings& settings);

}  // namespace sallyport::host
