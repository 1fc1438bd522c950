// A grant, and how requests and answers write it down.
#pragma once

#include <string>
#include <vector>

#include <sallyport/json.h>

namespace sallyport::plugins {

/// A secret of the job's owner, and the environment variable its worker shall find it in. Names only: no
/// secret's value is ever in here.
struct Grant {
    std::string secretName;  ///< one of the owner's secrets
    std::string envVar;      ///< the variable of the worker's environment
};

/// The value of the member `credentials` of a request's body, `[{secret_name, env_var}]`; null is none. The
/// names are not looked at. @throws RequestError 422
[[nodiscard]] std::vector<Grant> readGrants(const json::Value& list);

/// The same as JSON.
[[nodiscard]] std::string grantsJson(const std::vector<Grant>& grants);

}  // namespace sallyport::plugins
