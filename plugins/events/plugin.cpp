#include <iterator>

#include <sallyport/plugin.h>

#include "events_plugin.h"

SALLYPORT_PLUGIN_WITH_SETTINGS(sallyport::plugins::EventsPlugin, "events", "1.0.0",
                               "What workers report: kept, listed and followed live",
                               sallyport::plugins::eventsSettings)
