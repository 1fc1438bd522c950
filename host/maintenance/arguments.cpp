#include "host/maintenance/arguments.h"

#include <algorithm>
#include <utility>

#include "host/client/failure.h"

namespace sallyport::host::maintenance {

namespace {

constexpr std::string_view dashes = "--";

}  // namespace

Arguments::Arguments(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        const auto equals = word.find('=');
        if (!word.starts_with(dashes) || word.size() == dashes.size() || equals == dashes.size()) {
            throw client::UsageError("expected --name=value or --name, not '" + word + "'");
        }
        left_.push_back({word.substr(dashes.size(), equals - dashes.size()),
                         equals == std::string::npos ? std::string() : word.substr(equals + 1)});
    }
}

std::vector<std::string> Arguments::takeAll(std::string_view name) {
    std::vector<std::string> values;
    std::erase_if(left_, [&](Argument& argument) {
        const bool meant = argument.name == name;
        if (meant) {
            values.push_back(std::move(argument.value));
        }
        return meant;
    });
    return values;
}

std::optional<std::string> Arguments::take(std::string_view name) {
    std::vector<std::string> values = takeAll(name);
    return values.empty() ? std::nullopt : std::optional(std::move(values.back()));
}

std::string Arguments::require(std::string_view name) {
    auto value = take(name);
    if (!value) {
        throw client::UsageError("--" + std::string(name) + " is missing");
    }
    return *std::move(value);
}

void Arguments::requireAllTaken() const {
    if (!left_.empty()) {
        throw client::UsageError("there is no --" + left_.front().name);
    }
}

}  // namespace sallyport::host::maintenance
