#include "plugins/jobs/description_cache.h"

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins {
namespace {

class DescriptionCacheTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DescriptionCacheTest);
    CPPUNIT_TEST(testKeepsAndForgets);
    CPPUNIT_TEST(testOldestGivesWay);
    CPPUNIT_TEST(testLargeOnesAreNotKept);
    CPPUNIT_TEST_SUITE_END();

    const JobId first_ = JobId::random();
    const JobId second_ = JobId::random();
    const JobId third_ = JobId::random();

    void testKeepsAndForgets() {
        DescriptionCache cache(100);
        CPPUNIT_ASSERT(!cache.find(first_));
        cache.keep(first_, "one");
        cache.keep(second_, "two");
        cache.keep(first_, "one");
        CPPUNIT_ASSERT_EQUAL(std::size_t{6}, cache.size());
        CPPUNIT_ASSERT_EQUAL(std::string("one"), cache.find(first_).value());
        cache.forget(first_);
        cache.forget(first_);
        CPPUNIT_ASSERT(!cache.find(first_));
        CPPUNIT_ASSERT_EQUAL(std::string("two"), cache.find(second_).value());
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, cache.size());
    }

    void testOldestGivesWay() {
        DescriptionCache cache(10);
        cache.keep(first_, "aaaa");
        cache.keep(second_, "bbbb");
        CPPUNIT_ASSERT(cache.find(first_));
        cache.keep(third_, "cccc");
        CPPUNIT_ASSERT(cache.find(first_));
        CPPUNIT_ASSERT(!cache.find(second_));
        CPPUNIT_ASSERT(cache.find(third_));
        cache.keep(second_, "bbbbbbbbbb");
        CPPUNIT_ASSERT_EQUAL(std::size_t{10}, cache.size());
        CPPUNIT_ASSERT(!cache.find(first_));
        CPPUNIT_ASSERT(!cache.find(third_));
    }

    void testLargeOnesAreNotKept() {
        DescriptionCache small(4);
        small.keep(first_, "aaaaa");
        CPPUNIT_ASSERT(!small.find(first_));
        DescriptionCache large(10 * DescriptionCache::largest);
        large.keep(first_, std::string(DescriptionCache::largest + 1, 'x'));
        CPPUNIT_ASSERT(!large.find(first_));
        large.keep(first_, std::string(DescriptionCache::largest, 'x'));
        CPPUNIT_ASSERT(large.find(first_));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DescriptionCacheTest);

}  // namespace
}  // namespace sallyport::plugins
