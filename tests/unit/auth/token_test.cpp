#include "host/auth/token.h"

#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::auth {
namespace {

class TokenTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TokenTest);
    CPPUNIT_TEST(testShape);
    CPPUNIT_TEST(testNeverTwice);
    CPPUNIT_TEST(testContainsToken);
    CPPUNIT_TEST(testDigest);
    CPPUNIT_TEST(testDigestOnManyThreads);
    CPPUNIT_TEST(testEqual);
    CPPUNIT_TEST(testHex);
    CPPUNIT_TEST(testFromHexRefuses);
    CPPUNIT_TEST_SUITE_END();

    static void testShape() {
        const std::string token = newToken();
        CPPUNIT_ASSERT_EQUAL(std::size_t{64}, token.size());
        CPPUNIT_ASSERT_EQUAL(std::string::npos, token.find_first_not_of("0123456789abcdef"));
    }

    static void testNeverTwice() {
        std::set<std::string> tokens;
        for (int i = 0; i < 1000; ++i) {
            tokens.insert(newToken());
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{1000}, tokens.size());
    }

    static void testContainsToken() {
        const std::string token = newToken();
        for (const std::string& text : {token, "Bearer " + token, token + "; b", "a=" + token + "&b",
                                        "g" + token + "G", newToken() + " " + token}) {
            CPPUNIT_ASSERT_MESSAGE(text, containsToken(text, digest(token)));
        }
        for (const std::string& text : {std::string(), token.substr(1), "0" + token, token + "0", newToken(),
                                        token.substr(0, 32) + " " + token.substr(32)}) {
            CPPUNIT_ASSERT_MESSAGE(text, !containsToken(text, digest(token)));
        }
    }

    static void testDigest() {  // the examples of FIPS 180-2
        CPPUNIT_ASSERT_EQUAL(std::string("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
                             hex(digest("")));
        CPPUNIT_ASSERT_EQUAL(std::string("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
                             hex(digest("abc")));
        CPPUNIT_ASSERT_EQUAL(std::string("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
                             hex(digest(std::string(1'000'000, 'a'))));
    }

    static void testDigestOnManyThreads() {
        const std::string token = newToken();
        const Digest expected = digest(token);
        std::vector<char> same(4, 0);
        std::vector<std::thread> threads;
        threads.reserve(same.size());
        for (char& result : same) {
            threads.emplace_back([&result, &token, &expected] {
                bool all = true;
                for (int i = 0; i < 100; ++i) {
                    all = digest(token) == expected && all;
                }
                result = all ? 1 : 0;
            });
        }
        for (auto& thread : threads) {
            thread.join();
        }
        CPPUNIT_ASSERT((same == std::vector<char>{1, 1, 1, 1}));
    }

    static void testEqual() {
        const Digest one = digest("one");
        CPPUNIT_ASSERT(equal(one, Digest(one)));
        for (std::size_t i = 0; i < one.size(); ++i) {
            Digest other = one;
            other[i] ^= 1U;
            CPPUNIT_ASSERT(!equal(one, other));
        }
    }

    static void testHex() {
        const std::string text = newToken();
        CPPUNIT_ASSERT_EQUAL(text, hex(fromHex(text)));
        CPPUNIT_ASSERT_EQUAL(std::uint8_t{0xAF}, fromHex("af" + text.substr(2))[0]);
    }

    static void testFromHexRefuses() {
        const std::string text = newToken();
        for (const std::string& bad : {std::string(), text.substr(1), text + "0", "A" + text.substr(1),
                                       "g" + text.substr(1), " " + text.substr(1)}) {
            CPPUNIT_ASSERT_THROW(static_cast<void>(fromHex(bad)), std::invalid_argument);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TokenTest);

}  // namespace
}  // namespace sallyport::host::auth
