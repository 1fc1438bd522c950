#include <iterator>

#include <sallyport/plugin.h>

#include "llm_plugin.h"

SALLYPORT_PLUGIN_WITH_SETTINGS(sallyport::plugins::llm::LlmPlugin, "llm", "1.0.0",
                               "Language models for workers, without the keys",
                               sallyport::plugins::llm::llmSettings)
