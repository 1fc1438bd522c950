#include "host/store/sql_dialect.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::store {

class SqlDialectTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SqlDialectTest);
    CPPUNIT_TEST(testReplacesEveryKey);
    CPPUNIT_TEST(testLeavesOtherWordsAlone);
    CPPUNIT_TEST_SUITE_END();

public:
    void testReplacesEveryKey() {
        const SqlDialect dialect{.begin = "", .key = "SERIAL {key}", .writer = {}, .reader = {}};
        CPPUNIT_ASSERT_EQUAL(std::string("a SERIAL {key}, b SERIAL {key}"),
                             dialect.schema("a {key}, b {key}"));
    }

    void testLeavesOtherWordsAlone() {
        CPPUNIT_ASSERT_EQUAL(std::string("CREATE INDEX i ON t (key)"),
                             sqlite().schema("CREATE INDEX i ON t (key)"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SqlDialectTest);

}  // namespace sallyport::host::store
