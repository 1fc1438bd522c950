#include <iterator>

#include <sallyport/plugin.h>

#include "prompts_plugin.h"

SALLYPORT_PLUGIN_WITH_SETTINGS(sallyport::plugins::PromptsPlugin, "prompts", "1.0.0",
                               "Follow-up prompts for running jobs", sallyport::plugins::promptsSettings)
