#include "host/cli/grant_argument.h"

#include <Poco/JSON/Object.h>

#include "host/cli/client_names.h"
#include "host/cli/text_input.h"

namespace sallyport::host::cli {

namespace {

Poco::JSON::Object grantFrom(const std::string& argument) {
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == argument.size()) {
        throw UsageError("the grant " + argument + " is not of the form SECRET=ENV_VAR");
    }
    Poco::JSON::Object grant(Poco::JSON_PRESERVE_KEY_ORDER);
    grant.set("secret_name", checkedText(argument.substr(0, equals), "name of the secret"));
    grant.set("env_var", checkedText(argument.substr(equals + 1), "name of the variable"));
    return grant;
}

}  // namespace

Poco::JSON::Array grantsFrom(const std::vector<std::string>& arguments) {
    Poco::JSON::Array grants;
    for (const std::string& argument : arguments) {
        grants.add(grantFrom(argument));
    }
    return grants;
}

}  // namespace sallyport::host::cli
