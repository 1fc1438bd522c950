#include "host/jobs/cursor.h"

#include <cstdint>
#include <limits>
#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>

namespace sallyport::host::jobs {

class CursorTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CursorTest);
    CPPUNIT_TEST(testGivesBackItsNumber);
    CPPUNIT_TEST(testRefusesWhatItDidNotGive);
    CPPUNIT_TEST_SUITE_END();

public:
    void testGivesBackItsNumber() {
        for (const std::int64_t number : {std::int64_t{1}, std::int64_t{16}, std::int64_t{100000},
                                          std::numeric_limits<std::int64_t>::max()}) {
            CPPUNIT_ASSERT_EQUAL(number, numberIn(cursorAfter(number)));
        }
    }

    void testRefusesWhatItDidNotGive() {
        using namespace std::string_literals;
        for (const std::string& cursor :
             {""s, "j"s, "j0"s, "j-1"s, "j+1"s, "j01"s, "jA"s, "J1"s, "1"s, "e1"s, "j1 "s, " j1"s, "j1\0"s,
              "jx"s, "j8000000000000000"s, "jffffffffffffffffff"s, "j1' OR 1=1"s, std::string(100000, '1')}) {
            try {
                static_cast<void>(numberIn(cursor));
                CPPUNIT_FAIL(cursor);
            } catch (const RequestError& error) {
                CPPUNIT_ASSERT_EQUAL(400, error.status());
            }
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CursorTest);

}  // namespace sallyport::host::jobs
