#include "plugins/llm/prices.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

class PricesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PricesTest);
    CPPUNIT_TEST(testCost);
    CPPUNIT_TEST(testCachedTokensAreNotPaidTwice);
    CPPUNIT_TEST(testCacheCostsAsInputWhereNotGiven);
    CPPUNIT_TEST(testRoundsUpOnce);
    CPPUNIT_TEST(testImplausibleCounts);
    CPPUNIT_TEST(testClosestEntryCounts);
    CPPUNIT_TEST(testUnknownModel);
    CPPUNIT_TEST(testNamesWithPunctuation);
    CPPUNIT_TEST(testMalformedEntries);
    CPPUNIT_TEST_SUITE_END();

    static std::int64_t cost(const std::string& entry, const Usage& usage) {
        return Prices({entry}).cost("m", usage);
    }

    void testCost() {
        // A thousand tokens in for three dollars a million, two hundred out for fifteen.
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3'000'000 + 3'000'000},
                             cost("m=3/15", {.input = 1000, .output = 200}));
    }

    void testCachedTokensAreNotPaidTwice() {
        const Usage usage{.input = 1000, .output = 0, .cacheRead = 600, .cacheWrite = 300};
        CPPUNIT_ASSERT_EQUAL(std::int64_t{100 * 3000 + 600 * 300 + 300 * 3750},
                             cost("m=3/15/0.3/3.75", usage));
    }

    void testCacheCostsAsInputWhereNotGiven() {
        const Usage usage{.input = 1000, .output = 0, .cacheRead = 600, .cacheWrite = 300};
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1000 * 3000}, cost("m=3/15", usage));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{400 * 3000 + 600 * 300}, cost("m=3/15/0.3", usage));
    }

    void testRoundsUpOnce() {
        // A tenth of a billionth a token.
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, cost("m=0.0001/0.0001", {.input = 1, .output = 1}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, cost("m=0.0001/0.0001", {.input = 5, .output = 5}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, cost("m=0.0001/0.0001", {.input = 5, .output = 6}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, cost("m=0.0001/0.0001", {}));
    }

    void testImplausibleCounts() {
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, cost("m=3/15", {.input = -1, .output = INT64_MIN}));
        // More cached than there was.
        CPPUNIT_ASSERT_EQUAL(std::int64_t{20 * 3000},
                             cost("m=3/15", {.input = 10, .output = 0, .cacheRead = 20, .cacheWrite = 0}));
        const Usage absurd{
            .input = INT64_MAX, .output = INT64_MAX, .cacheRead = INT64_MAX, .cacheWrite = INT64_MAX};
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3'000'000'000'000'000'000},
                             cost("m=1000000/1000000/1000000/1000000", absurd));
    }

    void testClosestEntryCounts() {
        const Prices prices({"*=1/1", "gpt-*=2/2", "gpt-5=3/3", "gpt-5*=4/4", "gpt-5=5/5"});
        const auto input = [&](const char* model) { return prices.find(model)->input / 1'000'000'000; };
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, input("claude"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, input("gpt-4"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4}, input("gpt-5-mini"));
        // The name itself, and of the two the last.
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, input("gpt-5"));
    }

    void testUnknownModel() {
        const Prices prices({"m=3/15"});
        CPPUNIT_ASSERT(!prices.find("mm"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, prices.cost("mm", {.input = 1000, .output = 1000}));
    }

    void testNamesWithPunctuation() {
        const Prices prices({"openai/gpt-4=1/2", "llama3:8b=3/4"});
        CPPUNIT_ASSERT(prices.find("openai/gpt-4").has_value());
        CPPUNIT_ASSERT(prices.find("llama3:8b").has_value());
    }

    void testMalformedEntries() {
        for (const char* entry : {"m", "m=", "=1/2", "m=1", "m=1/", "m=/2", "m=1/2/3/4/5", "m=1/2/", "m=1/-2",
                                  "m=a/b", "m*n=1/2", "**=1/2", "m=1 /2"}) {
            CPPUNIT_ASSERT_THROW_MESSAGE(entry, Prices({entry}), std::invalid_argument);
        }
        try {
            Prices({"good=1/2", "bad=1"});
            CPPUNIT_FAIL("was taken");
        } catch (const std::invalid_argument& error) {
            CPPUNIT_ASSERT(std::string(error.what()).find("'bad=1'") != std::string::npos);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PricesTest);

}  // namespace
}  // namespace sallyport::plugins::llm
