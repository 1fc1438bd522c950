// Assertions about answers that show the answer when they fail.
#pragma once

#include <string>
#include <string_view>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/http_client.h"

namespace sallyport::tests {

void assertStatus(int expected, const Response& response, const CppUnit::SourceLine& line);

/// The status, and an error body as CONTRACT §1 has it that gives nothing of the daemon's inside away.
void assertRefused(int expected, const Response& response, const CppUnit::SourceLine& line);
/// The same with that machine word.
void assertError(int expected, std::string_view code, const Response& response,
                 const CppUnit::SourceLine& line);
/// 422 whose sentence names the field.
void assertInvalidField(std::string_view field, const Response& response, const CppUnit::SourceLine& line);
/// 401 with `WWW-Authenticate: Bearer`.
void assertUnauthorized(const Response& response, const CppUnit::SourceLine& line);

/// The body's value at a path, as Response::at gives it.
void assertField(std::string_view expected, const Response& response, std::string_view path,
                 const CppUnit::SourceLine& line);

void assertContains(std::string_view part, std::string_view whole, const CppUnit::SourceLine& line);
void assertLacks(std::string_view part, std::string_view whole, const CppUnit::SourceLine& line);

}  // namespace sallyport::tests

#define ASSERT_STATUS(expected, response) \
    ::sallyport::tests::assertStatus((expected), (response), CPPUNIT_SOURCELINE())
#define ASSERT_REFUSED(expected, response) \
    ::sallyport::tests::assertRefused((expected), (response), CPPUNIT_SOURCELINE())
#define ASSERT_ERROR(expected, code, response) \
    ::sallyport::tests::assertError((expected), (code), (response), CPPUNIT_SOURCELINE())
#define ASSERT_INVALID_FIELD(field, response) \
    ::sallyport::tests::assertInvalidField((field), (response), CPPUNIT_SOURCELINE())
#define ASSERT_UNAUTHORIZED(response) ::sallyport::tests::assertUnauthorized((response), CPPUNIT_SOURCELINE())
#define ASSERT_FIELD(expected, response, path) \
    ::sallyport::tests::assertField((expected), (response), (path), CPPUNIT_SOURCELINE())
#define ASSERT_CONTAINS(part, whole) ::sallyport::tests::assertContains((part), (whole), CPPUNIT_SOURCELINE())
#define ASSERT_LACKS(part, whole) ::sallyport::tests::assertLacks((part), (whole), CPPUNIT_SOURCELINE())
