// `sallyport plugin verify`: plugins on this machine, looked at without the daemon.
#pragma once

#include "host/cli/command.h"

namespace sallyport::host::cli {

void addPluginVerify(CLI::App& plugin, Command& chosen);

}  // namespace sallyport::host::cli
