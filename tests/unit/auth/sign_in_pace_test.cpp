#include "host/auth/sign_in_pace.h"

#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::auth {

class SignInPaceTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SignInPaceTest);
    CPPUNIT_TEST(testRefusesAfterSoMany);
    CPPUNIT_TEST(testGoesOnWithTime);
    CPPUNIT_TEST(testAddressesDoNotShare);
    CPPUNIT_TEST(testForgetsTheOneThatCameLeastLately);
    CPPUNIT_TEST_SUITE_END();

    static constexpr int burst = static_cast<int>(SignInPace::perSecond * Pacer::burst.count());

    SignInPace pace_;
    const Pacer::Clock::time_point start_ = Pacer::Clock::now();

    bool refused(const std::string& address, std::chrono::seconds after = {}) {
        return pace_.take(address, start_ + after).refused;
    }

    void useUp(const std::string& address) {
        for (int i = 0; i < burst; ++i) {
            CPPUNIT_ASSERT_MESSAGE(std::to_string(i), !refused(address));
        }
    }

public:
    void testRefusesAfterSoMany() {
        useUp("192.0.2.1");
        static_cast<void>(refused("192.0.2.1"));
        const auto verdict = pace_.take("192.0.2.1", start_);
        CPPUNIT_ASSERT(verdict.refused);
        CPPUNIT_ASSERT(verdict.retryAfter >= std::chrono::seconds(1));
    }

    void testGoesOnWithTime() {
        useUp("192.0.2.1");
        static_cast<void>(refused("192.0.2.1"));
        CPPUNIT_ASSERT(refused("192.0.2.1"));
        CPPUNIT_ASSERT(!refused("192.0.2.1", std::chrono::seconds(2)));
    }

    void testAddressesDoNotShare() {
        useUp("192.0.2.1");
        static_cast<void>(refused("192.0.2.1"));
        CPPUNIT_ASSERT(refused("192.0.2.1"));
        CPPUNIT_ASSERT(!refused("192.0.2.2"));
    }

    void testForgetsTheOneThatCameLeastLately() {
        useUp("192.0.2.1");
        static_cast<void>(refused("192.0.2.1"));
        for (std::size_t i = 1; i < SignInPace::mostAddresses; ++i) {
            static_cast<void>(refused("address " + std::to_string(i)));
        }
        CPPUNIT_ASSERT(refused("192.0.2.1"));
        static_cast<void>(refused("one more"));
        CPPUNIT_ASSERT(refused("192.0.2.1"));
        for (std::size_t i = 0; i < SignInPace::mostAddresses; ++i) {
            static_cast<void>(refused("other " + std::to_string(i)));
        }
        CPPUNIT_ASSERT(!refused("192.0.2.1"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SignInPaceTest);

}  // namespace sallyport::host::auth
