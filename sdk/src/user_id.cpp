#include <algorithm>

#include <sallyport/errors.h>
#include <sallyport/permission.h>
#include <sallyport/user_id.h>

namespace sallyport {

namespace {

constexpr std::size_t longest = 128;

bool isUserCharacter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._@+:-").find(c) != std::string_view::npos;
}

}  // namespace

std::string ownerByDefault(const Caller& caller) {
    return caller.may(permission::usersAll) ? "default" : caller.user();
}

bool isUserId(std::string_view text) noexcept {
    return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), isUserCharacter);
}

std::optional<std::string> userIn(const json::Object& body) {
    auto user = body.optionalString("user_id");
    if (user && !isUserId(*user)) {
        throw invalidField("user_id", "must have 1 to " + std::to_string(longest) +
                                          " letters, digits and characters of . _ @ + : -");
    }
    return user;
}

std::optional<std::string> userInQuery(const Call& call) {
    auto user = call.query("user_id");
    if (!user || call.caller().may(permission::usersAll)) {
        return user;
    }
    if (*user == "*") {
        throw lacksPermission(permission::usersAll, "asking about all users");
    }
    if (!call.caller().mayAccess(*user)) {
        throw notFound("there is no such user");
    }
    return user;
}

}  // namespace sallyport
