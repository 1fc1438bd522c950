#include "grant_rules.h"

#include <algorithm>
#include <set>
#include <utility>

#include <sallyport/ascii.h>
#include <sallyport/errors.h>

namespace sallyport::plugins {

namespace {

constexpr std::size_t maxName = 128;
constexpr std::size_t maxVariable = 256;

bool isDigit(char c) {
    return c >= '0' && c <= '9';
}

bool isLower(char c) {
    return c >= 'a' && c <= 'z';
}

bool isNameCharacter(char c) {
    return isLower(c) || isDigit(c) || c == '_' || c == '.' || c == '-';
}

bool isVariableCharacter(char c) {
    return isLower(ascii::lower(c)) || isDigit(c) || c == '_';
}

}  // namespace

std::string normalisedName(std::string_view name, std::string_view field) {
    std::string result = ascii::lowered(name);
    // A name of dots means something else in a path.
    if (result.size() > maxName || !std::all_of(result.begin(), result.end(), isNameCharacter) ||
        result.find_first_not_of('.') == std::string::npos) {
        throw invalidField(field, "must have 1 to " + std::to_string(maxName) +
                                      " letters, digits and characters of _ . -, not dots alone");
    }
    return result;
}

void VariableRules::requireName(std::string_view variable) {
    if (variable.empty() || variable.size() > maxVariable || isDigit(variable.front()) ||
        !std::all_of(variable.begin(), variable.end(), isVariableCharacter)) {
        throw invalidField("env_var", "must have 1 to " + std::to_string(maxVariable) +
                                          " letters, digits and underscores, and not begin with a digit");
    }
}

bool VariableRules::refuses(std::string_view variable) const {
    return std::any_of(refused_.begin(), refused_.end(), [variable](std::string_view rule) {
        if (rule.ends_with('*')) {
            rule.remove_suffix(1);
            return variable.starts_with(rule);
        }
        return variable == rule;
    });
}

std::vector<Grant> normalisedGrants(const std::vector<Grant>& grants) {
    std::vector<Grant> result;
    std::set<std::string> variables;
    for (const Grant& grant : grants) {
        VariableRules::requireName(grant.envVar);
        if (!variables.insert(grant.envVar).second) {
            throw invalidField("env_var", "names the variable " + grant.envVar + " twice");
        }
        result.push_back({normalisedName(grant.secretName, "secret_name"), grant.envVar});
    }
    return result;
}

}  // namespace sallyport::plugins
