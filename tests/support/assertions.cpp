#include "tests/support/assertions.h"

#include <algorithm>
#include <array>

namespace sallyport::tests {

namespace {

using CppUnit::Asserter;
using CppUnit::Message;
using CppUnit::SourceLine;

bool isMachineWord(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

/// What no answer may show: paths, SQL, and C++ of the daemon's.
constexpr std::array<std::string_view, 7> insides{"/tmp/",  ".cpp",  "SELECT ", "INSERT ",
                                                  "SQLITE", "std::", "what()"};

}  // namespace

void assertStatus(int expected, const Response& response, const SourceLine& line) {
    Asserter::failIf(response.status != expected,
                     Message("status " + std::to_string(expected) + " expected", response.describe()), line);
}

void assertRefused(int expected, const Response& response, const SourceLine& line) {
    assertStatus(expected, response, line);
    const std::string code = response.at("error.code");
    const std::string message = response.at("error.message");
    Asserter::failIf(!isMachineWord(code) || message.size() < 5 || message.starts_with('('),
                     Message("no error body with code and message", response.describe()), line);
    Asserter::failIf(!response.header("Content-Type").starts_with("application/json"),
                     Message("the error body is not declared as JSON", response.describe()), line);
    for (const std::string_view inside : insides) {
        Asserter::failIf(response.body.find(inside) != std::string::npos,
                         Message("the error shows " + std::string(inside), response.describe()), line);
    }
}

void assertError(int expected, std::string_view code, const Response& response, const SourceLine& line) {
    assertRefused(expected, response, line);
    assertField(code, response, "error.code", line);
}

void assertInvalidField(std::string_view field, const Response& response, const SourceLine& line) {
    assertError(422, "invalid_field", response, line);
    assertContains(field, response.at("error.message"), line);
}

void assertUnauthorized(const Response& response, const SourceLine& line) {
    assertRefused(401, response, line);
    Asserter::failIf(response.header("WWW-Authenticate") != "Bearer",
                     Message("no 'WWW-Authenticate: Bearer'", response.describe()), line);
}

void assertField(std::string_view expected, const Response& response, std::string_view path,
                 const SourceLine& line) {
    const std::string actual = response.at(path);
    Asserter::failIf(actual != expected,
                     Message("field '" + std::string(path) + "'", "expected: " + std::string(expected),
                             "actual  : " + actual, response.describe()),
                     line);
}

void assertContains(std::string_view part, std::string_view whole, const SourceLine& line) {
    Asserter::failIf(whole.find(part) == std::string_view::npos,
                     Message("'" + std::string(part) + "' is missing from", std::string(whole)), line);
}

void assertLacks(std::string_view part, std::string_view whole, const SourceLine& line) {
    Asserter::failIf(whole.find(part) != std::string_view::npos,
                     Message("'" + std::string(part) + "' must not be in", std::string(whole)), line);
}

}  // namespace sallyport::tests
