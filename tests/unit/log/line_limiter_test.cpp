#include "host/log/line_limiter.h"

#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::log {
namespace {

using namespace std::chrono_literals;

class LineLimiterTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LineLimiterTest);
    CPPUNIT_TEST(testTenOfAKindInASecond);
    CPPUNIT_TEST(testFloodIsCountedEachSecond);
    CPPUNIT_TEST(testAfterAFlood);
    CPPUNIT_TEST(testKindsAreToldApart);
    CPPUNIT_TEST(testLinesThatNoPeerCauses);
    CPPUNIT_TEST(testDebugIsNotLimited);
    CPPUNIT_TEST(testKindsAreBounded);
    CPPUNIT_TEST(testTakeAll);
    CPPUNIT_TEST_SUITE_END();

    LineLimiter limiter_;
    LineLimiter::Clock::time_point now_{100s};

    bool admit(std::string_view message, Logger::Fields fields, LogLevel level = LogLevel::info,
               std::string_view component = "http") {
        return limiter_.admit({Timestamp(), level, component, message, fields}, now_);
    }
    /// How many of so many lines are admitted.
    int admitted(int lines, const std::string& job = "j") {
        int count = 0;
        for (int i = 0; i < lines; ++i) {
            count += admit("refused", {{"job", job}, {"request", i}}) ? 1 : 0;
        }
        return count;
    }

    void testTenOfAKindInASecond() {
        CPPUNIT_ASSERT_EQUAL(10, admitted(10));
        CPPUNIT_ASSERT_EQUAL(0, admitted(90));
        CPPUNIT_ASSERT(limiter_.take(now_).empty());
        now_ += 1s;
        const auto held = limiter_.take(now_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, held.size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{90}, held[0].lines);
        CPPUNIT_ASSERT(held[0].level == LogLevel::info);
        CPPUNIT_ASSERT_EQUAL(std::string("http"), held[0].component);
        CPPUNIT_ASSERT_EQUAL(std::string("refused"), held[0].message);
        CPPUNIT_ASSERT_EQUAL(std::string("j"), held[0].job);
        CPPUNIT_ASSERT_EQUAL(std::string(), held[0].plugin);
    }

    void testFloodIsCountedEachSecond() {
        admitted(100);
        for (int second = 0; second < 3; ++second) {
            now_ += 1s;
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, limiter_.take(now_).size());
            CPPUNIT_ASSERT_EQUAL(1, admitted(100));
        }
    }

    void testAfterAFlood() {
        admitted(100);
        now_ += 1s;
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, limiter_.take(now_).size());
        now_ += 1s;
        CPPUNIT_ASSERT(limiter_.take(now_).empty());
        CPPUNIT_ASSERT_EQUAL(10, admitted(11));
    }

    void testKindsAreToldApart() {
        CPPUNIT_ASSERT_EQUAL(10, admitted(11, "a"));
        CPPUNIT_ASSERT_EQUAL(10, admitted(11, "b"));
        CPPUNIT_ASSERT(admit("something else", {{"job", "a"}}));
        CPPUNIT_ASSERT(admit("refused", {{"job", "a"}}, LogLevel::error));
        CPPUNIT_ASSERT(admit("refused", {{"job", "a"}}, LogLevel::info, "events"));
        CPPUNIT_ASSERT(admit("refused", {{"job", "a"}, {"plugin", "p"}}));
        CPPUNIT_ASSERT(!admit("refused", {{"job", "a"}, {"other", "value"}}));
    }

    /// They may be about different things, such as the plugins of a folder.
    void testLinesThatNoPeerCauses() {
        for (int i = 0; i < 256; ++i) {
            CPPUNIT_ASSERT(admit("a plugin was refused", {{"file", i}}));
        }
        CPPUNIT_ASSERT(!admit("a plugin was refused", {{"file", "one more"}}));
        now_ += 1s;
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, limiter_.take(now_).at(0).lines);
        for (int i = 0; i < 10; ++i) {
            CPPUNIT_ASSERT(admit("a plugin was refused", {{"file", i}}));
        }
        CPPUNIT_ASSERT(!admit("a plugin was refused", {{"file", "one more"}}));
    }

    void testDebugIsNotLimited() {
        for (int i = 0; i < 1000; ++i) {
            CPPUNIT_ASSERT(admit("request", {{"request", i}}, LogLevel::debug));
        }
    }

    void testKindsAreBounded() {
        for (std::size_t i = 0; i < LineLimiter::mostKinds; ++i) {
            CPPUNIT_ASSERT(admit("refused", {{"job", i}}));
        }
        for (int i = 0; i < 10; ++i) {
            CPPUNIT_ASSERT(admit("refused", {{"job", "new " + std::to_string(i)}}));
        }
        CPPUNIT_ASSERT(!admit("refused", {{"job", "another"}}));
        CPPUNIT_ASSERT(!admit("never seen", {{"job", "another"}}));
        CPPUNIT_ASSERT(admit("refused", {{"job", 0}}));
        now_ += 1s;
        const auto held = limiter_.take(now_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, held.size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, held[0].lines);
        CPPUNIT_ASSERT_EQUAL(std::string(), held[0].job);
        CPPUNIT_ASSERT(admit("refused", {{"job", "another"}}));
    }

    void testTakeAll() {
        admitted(12);
        const auto held = limiter_.takeAll();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, held.size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, held[0].lines);
        CPPUNIT_ASSERT(limiter_.takeAll().empty());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LineLimiterTest);

}  // namespace
}  // namespace sallyport::host::log
