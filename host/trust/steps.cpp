#include "host/trust/steps.h"

#include <filesystem>
#include <list>
#include <system_error>

namespace sallyport::host::trust {

namespace {

namespace fs = std::filesystem;

/// As many as the kernel follows.
constexpr int mostLinks = 40;

std::list<std::string> namesIn(const fs::path& path) {
    std::list<std::string> names;
    for (const auto& name : path.relative_path()) {
        names.push_back(name.string());
    }
    return names;
}

}  // namespace

std::vector<Step> stepsTo(const std::string& path) {
    std::vector<Step> steps;
    std::error_code error;
    auto left = namesIn(fs::absolute(path, error));
    fs::path place = "/";
    int links = 0;
    while (!left.empty()) {
        const std::string name = left.front();
        left.pop_front();
        if (name.empty() || name == ".") {
            continue;
        }
        if (name == "..") {
            place = place.parent_path();
            continue;
        }
        steps.push_back({place.string(), name});
        const auto next = place / name;
        const auto status = fs::symlink_status(next, error);
        if (error || status.type() == fs::file_type::not_found) {
            return steps;
        }
        if (!fs::is_symlink(status)) {
            place = next;
            continue;
        }
        const auto target = fs::read_symlink(next, error);
        if (error || ++links > mostLinks) {
            return steps;
        }
        if (target.is_absolute()) {
            place = "/";
        }
        left.splice(left.begin(), namesIn(target));
    }
    return steps;
}

}  // namespace sallyport::host::trust
