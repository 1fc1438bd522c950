// The commands below `sallyport job`, each declared by the file that runs it.
#pragma once

#include "host/cli/command.h"

namespace sallyport::host::cli {

void addJobCreate(CLI::App& job, Command& chosen);
void addJobRestart(CLI::App& job, Command& chosen);
void addJobRelease(CLI::App& job, Command& chosen);
void addJobList(CLI::App& job, Command& chosen);
void addJobShow(CLI::App& job, Command& chosen);
void addJobCancel(CLI::App& job, Command& chosen);
void addJobFinish(CLI::App& job, Command& chosen);
void addJobLimits(CLI::App& job, Command& chosen);
void addJobWatch(CLI::App& job, Command& chosen);
void addJobPrompt(CLI::App& job, Command& chosen);
void addJobGrant(CLI::App& job, Command& chosen);

}  // namespace sallyport::host::cli
