#include "grant.h"

#include <sallyport/errors.h>
#include <sallyport/json_writer.h>

namespace sallyport::plugins {

namespace {

constexpr std::size_t maxGrants = 100;

}  // namespace

std::vector<Grant> readGrants(const json::Value& list) {
    if (list.kind() == json::Kind::null) {
        return {};
    }
    const std::vector<json::Value> entries = list.elements();
    if (list.kind() != json::Kind::array || entries.size() > maxGrants) {
        throw invalidField("credentials",
                           "must be an array of at most " + std::to_string(maxGrants) + " objects");
    }
    std::vector<Grant> grants;
    for (const json::Value& entry : entries) {
        if (entry.kind() != json::Kind::object) {
            throw invalidField("credentials",
                               std::string("must contain objects with secret_name and env_var, not ") +
                                   json::describe(entry.kind()));
        }
        const json::Object grant = entry.object();
        grants.push_back({grant.string("secret_name"), grant.string("env_var")});
    }
    return grants;
}

std::string grantsJson(const std::vector<Grant>& grants) {
    std::string text;
    json::Writer writer(text);
    writer.beginArray();
    for (const Grant& grant : grants) {
        writer.beginObject().member("secret_name", grant.secretName);
        writer.member("env_var", grant.envVar).endObject();
    }
    writer.endArray();
    return text;
}

}  // namespace sallyport::plugins
