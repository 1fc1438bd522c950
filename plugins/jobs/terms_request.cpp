#include "terms_request.h"

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include <sallyport/errors.h>
#include <sallyport/permission.h>

#include "job_limits.h"

namespace sallyport::plugins {

namespace {

/// What doubles hold exactly, as clients keep numbers.
constexpr std::int64_t largest = std::int64_t{1} << 53;
constexpr std::int64_t longestTimeout = std::int64_t{3650} * 24 * 60 * 60;  // seconds

/// Seconds of `90m` and the like; 0 for what is none, or too long.
std::int64_t secondsIn(std::string_view text) {
    constexpr std::array<std::pair<char, std::int64_t>, 4> units{
        {{'s', 1}, {'m', 60}, {'h', 60 * 60}, {'d', 24 * 60 * 60}}};
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, number);
    if (problem != std::errc() || stop + 1 != end || number < 0 || number > longestTimeout) {
        return 0;
    }
    for (const auto& [letter, seconds] : units) {
        if (letter == *stop) {
            return number * seconds;
        }
    }
    return 0;
}

std::optional<std::chrono::seconds> readTimeout(const json::Object& body) {
    const json::Value* const value = body.optional("timeout");
    if (value == nullptr) {
        return std::nullopt;
    }
    const auto text = value->string();
    const std::int64_t seconds = text ? secondsIn(*text) : value->integer().value_or(0);
    if (seconds < 1 || seconds > longestTimeout) {
        throw invalidField("timeout",
                           "must be a number of seconds, or a text such as \"90m\", \"2h\" or \"1d\"; at "
                           "least a second and at most 3650 days");
    }
    return std::chrono::seconds(seconds);
}

/// 0 is any amount, and so more than any number.
bool isAbove(std::int64_t value, std::int64_t limit) {
    return limit != 0 && (value == 0 || value > limit);
}

}  // namespace

JobTerms readTerms(const json::Object& body, const Caller& caller, const JobLimits& defaults) {
    JobTerms terms;
    terms.timeout = readTimeout(body);
    if (const json::Value* const limits = body.optional("limits")) {
        if (limits->kind() != json::Kind::object) {
            throw invalidField("limits", "must be an object");
        }
        terms.limits = changedLimits({}, limits->object(), caller, defaults);
    }
    return terms;
}

JobLimits changedLimits(JobLimits own, const json::Object& body, const Caller& caller,
                        const JobLimits& defaults) {
    for (const auto& [name, limit] : limitNames) {
        if (body.find(name) == nullptr) {
            continue;
        }
        const json::Value* const value = body.optional(name);
        if (value == nullptr) {
            own.*limit = std::nullopt;
            continue;
        }
        const auto number = value->integer();
        if (!number || *number < 0 || *number > largest) {
            throw invalidField(name, "must be an integer from 0, for any amount, to " +
                                         std::to_string(largest) + ", or null for the default");
        }
        const std::int64_t byDefault = (defaults.*limit).value_or(0);
        if (isAbove(*number, byDefault) && !caller.may(permission::limitsRaise)) {
            throw lacksPermission(
                permission::limitsRaise,
                std::string("setting ") + name + " above its default, " + std::to_string(byDefault) + ",");
        }
        own.*limit = number;
    }
    return own;
}

}  // namespace sallyport::plugins
