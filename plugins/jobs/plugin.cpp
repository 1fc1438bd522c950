#include <sallyport/plugin.h>

#include "jobs_plugin.h"

SALLYPORT_PLUGIN(sallyport::plugins::JobsPlugin, "jobs", "1.0.0",
                 "Jobs: made and steered by operators, reported on by workers")
