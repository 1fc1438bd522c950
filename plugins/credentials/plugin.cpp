#include <iterator>

#include <sallyport/plugin.h>

#include "credentials_plugin.h"

SALLYPORT_PLUGIN_WITH_SETTINGS(sallyport::plugins::CredentialsPlugin, "credentials", "1.0.0",
                               "Secrets, encrypted, for workers that were granted them",
                               sallyport::plugins::credentialsSettings)
