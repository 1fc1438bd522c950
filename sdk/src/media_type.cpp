#include <algorithm>

#include <sallyport/ascii.h>
#include <sallyport/http_token.h>
#include <sallyport/media_type.h>

namespace sallyport {

namespace {

constexpr std::string_view blanks = " \t";
constexpr std::string_view tree = "application/";
constexpr std::string_view plain = "json";
constexpr std::string_view suffix = "+json";

std::string_view withoutParameters(std::string_view contentType) noexcept {
    std::string_view type = contentType.substr(0, contentType.find(';'));
    type.remove_prefix(std::min(type.find_first_not_of(blanks), type.size()));
    return type.substr(0, type.find_last_not_of(blanks) + 1);
}

bool isLetterOrDigit(char c) noexcept {
    return (c >= '0' && c <= '9') || (ascii::lower(c) >= 'a' && ascii::lower(c) <= 'z');
}

}  // namespace

bool isJsonType(std::string_view contentType) noexcept {
    const std::string_view type = withoutParameters(contentType);
    if (!ascii::equalsIgnoringCase(type.substr(0, tree.size()), tree)) {
        return false;
    }
    const std::string_view name = type.substr(tree.size());
    return ascii::equalsIgnoringCase(name, plain) ||
           (name.size() > suffix.size() && isLetterOrDigit(name.front()) && isHttpToken(name) &&
            ascii::equalsIgnoringCase(name.substr(name.size() - suffix.size()), suffix));
}

}  // namespace sallyport
