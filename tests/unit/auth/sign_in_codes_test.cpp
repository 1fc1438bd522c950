#include "host/auth/sign_in_codes.h"

#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::auth {

class SignInCodesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SignInCodesTest);
    CPPUNIT_TEST(testStandsForItsTokenOnce);
    CPPUNIT_TEST(testLivesAMinute);
    CPPUNIT_TEST(testEndsWithItsToken);
    CPPUNIT_TEST(testOldestOfATokenIsVoid);
    CPPUNIT_TEST(testOldestOfAllIsVoid);
    CPPUNIT_TEST_SUITE_END();

    SignInCodes codes_;
    const SignInCodes::Clock::time_point start_ = SignInCodes::Clock::now();

    static OperatorToken codeOwner(std::int64_t id) {
        OperatorToken made;
        made.id = id;
        return made;
    }

    std::int64_t redeem(const std::string& code, std::chrono::milliseconds after = {}) {
        const auto found = codes_.redeem(digest(code), start_ + after);
        return found ? found->id : 0;
    }

public:
    void testStandsForItsTokenOnce() {
        const auto one = codes_.make(codeOwner(1), start_);
        const auto two = codes_.make(codeOwner(2), start_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{64}, one.size());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, redeem(newToken()));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, redeem(two));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, redeem(one));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, redeem(one));
    }

    void testLivesAMinute() {
        const auto used = codes_.make(codeOwner(1), start_);
        const auto late = codes_.make(codeOwner(1), start_);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, redeem(used, std::chrono::milliseconds(59'999)));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, redeem(late, std::chrono::milliseconds(60'000)));
        // Nor does it come back.
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, redeem(late));
    }

    void testEndsWithItsToken() {
        auto token = codeOwner(1);
        const auto code = codes_.make(token, start_);
        token.lease->revoked = true;
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, redeem(code));
    }

    void testOldestOfATokenIsVoid() {
        const auto others = codes_.make(codeOwner(2), start_);
        std::vector<std::string> made;
        for (std::size_t i = 0; i <= SignInCodes::perToken; ++i) {
            made.push_back(codes_.make(codeOwner(1), start_));
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, redeem(made.front()));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, redeem(made.at(1)));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, redeem(made.back()));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, redeem(others));
    }

    void testOldestOfAllIsVoid() {
        std::vector<std::string> made;
        for (std::size_t i = 0; i <= SignInCodes::total; ++i) {
            made.push_back(codes_.make(codeOwner(static_cast<std::int64_t>(i) + 1), start_));
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, redeem(made.front()));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, redeem(made.at(1)));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SignInCodesTest);

}  // namespace sallyport::host::auth
