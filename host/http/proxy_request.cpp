#include "host/http/proxy_request.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "host/http/authority.h"
#include "host/http/field_list.h"

namespace sallyport::host::http {

namespace {

/// Also those that come without `Connection` naming them.
bool isOfTheConnection(std::string_view name) {
    constexpr std::array<std::string_view, 8> fields{
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
        "upgrade",    "host"};
    return std::find(fields.begin(), fields.end(), name) != fields.end();
}

bool isFraming(std::string_view name) {
    return name == "content-length" || name == "transfer-encoding";
}

}  // namespace

Call::Pairs forwardedFields(Call::Pairs fields, const ProxyTarget& target) {
    std::vector<std::string> named;
    for (const auto& [name, value] : fields) {
        if (name == "connection") {
            named.push_back(value);
        }
    }
    std::erase_if(fields, [&named](const auto& field) {
        const auto& name = field.first;
        return isOfTheConnection(name) || isFraming(name) ||
               std::any_of(named.begin(), named.end(),
                           [&name](const auto& list) { return listContains(list, name); });
    });
    fields.emplace(fields.begin(), "host", hostField(target));
    return fields;
}

bool givesTokenAway(const RequestHead& head, const auth::Digest& token) {
    return auth::containsToken(head.path, token) || auth::containsToken(head.query, token) ||
           std::any_of(head.headers.begin(), head.headers.end(), [&token](const auto& field) {
               return field.first != "proxy-authorization" && auth::containsToken(field.second, token);
           });
}

}  // namespace sallyport::host::http
