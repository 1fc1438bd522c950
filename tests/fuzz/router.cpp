// Paths: whatever is asked for, a match is of the route that it says, and no spelling reaches another. The
// input is a method, a blank and a path.
#include "host/http/router.h"

#include <memory>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport;
using namespace sallyport::host::http;
using fuzz::require;

RouteTable makeTable() {
    RouteTable::Routes routes;
    for (const auto& [method, pattern] : std::vector<std::pair<const char*, const char*>>{
             {"GET", "/job"},
             {"GET", "/jobs/{job_id}"},
             {"DELETE", "/jobs/{job_id}"},
             {"GET", "/jobs/summary"},
             {"POST", "/jobs/{job_id}/prompt"},
             {"POST", "/llm/complete"},
             {"GET", "/openai/v1/models/{model...}"},
             {"GET", "/secrets/{name}/{version}"},
         }) {
        auto route = std::make_shared<Route>();
        route->gate = std::make_shared<Gate>("fuzz");
        route->realm = Realm::worker;
        route->method = method;
        route->pattern = pattern;
        route->handler = [](const Call&) { return Reply::empty(200); };
        routes.push_back(std::move(route));
    }
    return RouteTable(std::move(routes));
}

std::vector<std::string_view> segments(std::string_view path) {
    std::vector<std::string_view> result;
    while (!path.empty()) {
        path.remove_prefix(1);
        result.push_back(path.substr(0, path.find('/')));
        path.remove_prefix(result.back().size());
    }
    return result;
}

/// A route's literal segments stand in the path as they are; a parameter is what stands in its place,
/// decoded.
void checkMatch(const RouteTable::Match& match, std::string_view path) {
    const auto wanted = segments(match.route->pattern);
    const auto given = segments(path);
    std::size_t parameter = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        require(i < given.size(), "a path has as many segments as its pattern");
        if (!wanted[i].starts_with('{')) {
            require(given[i] == wanted[i], "a literal segment is spelled as in its pattern");
            continue;
        }
        const bool rest = wanted[i].ends_with("...}");
        if (match.badEncoding) {
            if (rest) {
                return;
            }
            continue;
        }
        require(parameter < match.params.size(), "each segment in braces is a parameter");
        const std::string_view raw =
            rest ? path.substr(static_cast<std::size_t>(given[i].data() - path.data())) : given[i];
        require(percentDecode(raw) == match.params[parameter].second,
                "a parameter is what was sent, decoded");
        ++parameter;
        if (rest) {
            return;
        }
    }
    require(wanted.size() == given.size(), "a path has no more segments than its pattern");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const RouteTable table = makeTable();
    const std::string_view input = fuzz::textOf(data, size);
    const std::string_view method = input.substr(0, input.find(' '));
    const std::string path = "/" + std::string(input.substr(std::min(method.size() + 1, input.size())));
    const RouteTable::Match match = table.match(Realm::worker, method, path);
    require(!table.match(Realm::operators, method, path).route, "a route is in its realm alone");
    if (match.route) {
        const bool asHead = method == "HEAD" && match.route->method == "GET";
        require(match.route->method == method || asHead, "a route has the method that was asked for");
        checkMatch(match, path);
    }
    if (const auto decoded = percentDecode(path)) {
        require(decoded->size() <= path.size(), "decoding makes nothing longer");
    }
    try {
        checkPattern(path);
    } catch (const std::invalid_argument&) {
        // It is no pattern.
    }
    return 0;
}
