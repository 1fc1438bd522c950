#include "models.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

#include <sallyport/errors.h>

namespace sallyport::plugins::llm {

namespace {

constexpr std::size_t maxName = 200;

/// Has the sentence of what is malformed begin with the setting.
template <class Read>
void reading(const char* setting, Read read) {
    try {
        read();
    } catch (const std::invalid_argument& error) {
        throw std::invalid_argument(std::string(setting) + " " + error.what());
    }
}

/// The two sides of `NAME=VALUE`, neither empty. @param expected how entries are written.
std::pair<std::string, std::string> split(const std::string& entry, const char* expected) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == entry.size()) {
        throw std::invalid_argument("has the entry '" + entry + "', expected " + expected);
    }
    return {entry.substr(0, equals), entry.substr(equals + 1)};
}

std::vector<std::string> readParameters(const std::string& entry, const std::string& text) {
    std::vector<std::string> parameters;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find('+', begin), text.size());
        if (end == begin) {
            throw std::invalid_argument("has the entry '" + entry + "', which names an empty parameter");
        }
        parameters.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parameters;
}

}  // namespace

Models::Models(const Rules& rules) {
    reading("llm.allowed_models", [&] {
        for (const std::string& entry : rules.allowed) {
            allowed_.emplace_back(entry);
        }
    });
    reading("llm.aliases", [&] {
        for (const std::string& entry : rules.aliases) {
            auto [alias, model] = split(entry, "ALIAS=MODEL");
            if (!aliases_.try_emplace(std::move(alias), std::move(model)).second) {
                throw std::invalid_argument("has the entry '" + entry + "', whose alias is there twice");
            }
        }
    });
    reading("llm.drop_parameters", [&] {
        for (const std::string& entry : rules.dropped) {
            const auto [model, parameters] = split(entry, "MODEL=PARAMETER+PARAMETER");
            dropped_.push_back({ModelPattern(model), readParameters(entry, parameters)});
        }
    });
}

std::string Models::resolve(const std::string& asked) const {
    if (asked.empty() || asked.size() > maxName) {
        throw invalidField("model", "must have 1 to " + std::to_string(maxName) + " bytes");
    }
    if (!allows(asked)) {
        throw RequestError(403, "model_not_allowed", "this model is not one that jobs may use");
    }
    const auto alias = aliases_.find(asked);
    return alias == aliases_.end() ? asked : alias->second;
}

bool Models::allows(std::string_view asked) const {
    const auto alias = aliases_.find(asked);
    return allowed_.empty() || isListed(asked) || (alias != aliases_.end() && isListed(alias->second));
}

bool Models::isListed(std::string_view model) const {
    return std::any_of(allowed_.begin(), allowed_.end(),
                       [&](const ModelPattern& pattern) { return pattern.matches(model); });
}

std::vector<std::string> Models::dropped(std::string_view model) const {
    std::set<std::string> parameters;
    for (const Dropped& entry : dropped_) {
        if (entry.pattern.matches(model)) {
            parameters.insert(entry.parameters.begin(), entry.parameters.end());
        }
    }
    return {parameters.begin(), parameters.end()};
}

std::vector<std::string> Models::names() const {
    std::set<std::string> names;
    for (const auto& [alias, model] : aliases_) {
        if (allows(alias)) {
            names.insert(alias);
        }
    }
    for (const ModelPattern& pattern : allowed_) {
        if (pattern.isName()) {
            names.insert(pattern.text());
        }
    }
    return {names.begin(), names.end()};
}

}  // namespace sallyport::plugins::llm
