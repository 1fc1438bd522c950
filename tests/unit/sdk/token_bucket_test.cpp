#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/token_bucket.h>

namespace sallyport {
namespace {

using namespace std::chrono_literals;

class TokenBucketTest final : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TokenBucketTest);
    CPPUNIT_TEST(testFullAtFirst);
    CPPUNIT_TEST(testFillsUpEvenlyAndNoFurther);
    CPPUNIT_TEST(testOwes);
    CPPUNIT_TEST(testUnbounded);
    CPPUNIT_TEST(testResizedKeepsItsShare);
    CPPUNIT_TEST(testTimeThatGoesBack);
    CPPUNIT_TEST(testHugeDebt);
    CPPUNIT_TEST_SUITE_END();

    const TokenBucket::Time begin_{1000s};
    TokenBucket bucket_{12, 60s};

    void testFullAtFirst() {
        CPPUNIT_ASSERT(bucket_.wait(12, begin_) == 0s);
        bucket_.take(12);
        CPPUNIT_ASSERT(bucket_.wait(0, begin_) == 0s);
        CPPUNIT_ASSERT(bucket_.wait(1, begin_) == 5s);
        CPPUNIT_ASSERT(bucket_.wait(12, begin_) == 60s);
    }

    void testFillsUpEvenlyAndNoFurther() {
        static_cast<void>(bucket_.wait(0, begin_));
        bucket_.take(12);
        CPPUNIT_ASSERT(bucket_.wait(1, begin_ + 2s) == 3s);
        CPPUNIT_ASSERT(bucket_.wait(1, begin_ + 5s) == 0s);
        CPPUNIT_ASSERT(bucket_.wait(12, begin_ + 1h) == 0s);
        bucket_.take(12);
        CPPUNIT_ASSERT(bucket_.wait(1, begin_ + 1h) == 5s);
    }

    void testOwes() {
        static_cast<void>(bucket_.wait(0, begin_));
        bucket_.take(13);
        CPPUNIT_ASSERT(bucket_.wait(0, begin_) == 5s);
        CPPUNIT_ASSERT(bucket_.wait(1, begin_) == 10s);
        CPPUNIT_ASSERT(bucket_.wait(1, begin_ + 10s) == 0s);
    }

    void testUnbounded() {
        for (TokenBucket unbounded : {TokenBucket(), TokenBucket(0, 60s)}) {
            unbounded.take(1e12);
            CPPUNIT_ASSERT(unbounded.wait(1e12, begin_) == 0s);
        }
    }

    void testResizedKeepsItsShare() {
        static_cast<void>(bucket_.wait(0, begin_));
        bucket_.take(6);
        bucket_.resize(120, begin_);
        CPPUNIT_ASSERT(bucket_.wait(60, begin_) == 0s);
        CPPUNIT_ASSERT(bucket_.wait(120, begin_) == 30s);
        bucket_.resize(0, begin_);
        bucket_.take(1000);
        bucket_.resize(12, begin_);
        CPPUNIT_ASSERT(bucket_.wait(12, begin_) == 0s);
    }

    void testTimeThatGoesBack() {
        static_cast<void>(bucket_.wait(0, begin_));
        bucket_.take(12);
        CPPUNIT_ASSERT(bucket_.wait(1, begin_ - 1h) == 5s);
        CPPUNIT_ASSERT(bucket_.wait(1, begin_) == 5s);
    }

    void testHugeDebt() {
        TokenBucket slow(1, 60s);
        slow.take(1e9);
        CPPUNIT_ASSERT(slow.wait(0, begin_) > std::chrono::hours(24 * 365));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TokenBucketTest);

}  // namespace
}  // namespace sallyport
