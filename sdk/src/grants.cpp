#include <sallyport/errors.h>
#include <sallyport/grants.h>

namespace sallyport {

namespace {

constexpr std::size_t maxGrants = 100;

}  // namespace

std::vector<Grant> readGrants(const json::Object& body) {
    const json::Value* const list = body.optional("credentials");
    if (list == nullptr) {
        return {};
    }
    const std::vector<json::Value> entries = list->elements();
    if (list->kind() != json::Kind::array || entries.size() > maxGrants) {
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

}  // namespace sallyport
