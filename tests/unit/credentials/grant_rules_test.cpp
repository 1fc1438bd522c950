#include "plugins/credentials/grant_rules.h"

#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>

namespace sallyport::plugins {
namespace {

class GrantRulesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GrantRulesTest);
    CPPUNIT_TEST(testNamesAreLowered);
    CPPUNIT_TEST(testBadNamesAreRefused);
    CPPUNIT_TEST(testVariableNames);
    CPPUNIT_TEST(testRefusedVariables);
    CPPUNIT_TEST(testGrantsAreNormalised);
    CPPUNIT_TEST(testAVariableTwiceIsRefused);
    CPPUNIT_TEST_SUITE_END();

    static void testNamesAreLowered() {
        CPPUNIT_ASSERT_EQUAL(std::string("github_token.v-2"), normalisedName("GitHub_Token.V-2", "name"));
        CPPUNIT_ASSERT_EQUAL(std::string(".x"), normalisedName(".x", "name"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{128}, normalisedName(std::string(128, 'a'), "name").size());
    }

    static void testBadNamesAreRefused() {
        for (const std::string& name :
             {std::string(), std::string("."), std::string(".."), std::string("a b"), std::string("a/b"),
              std::string("a\0b", 3), std::string("\xc3\xa4"), std::string("a=b"), std::string(129, 'a')}) {
            try {
                static_cast<void>(normalisedName(name, "secret_name"));
                CPPUNIT_FAIL("accepted: " + name);
            } catch (const RequestError& error) {
                CPPUNIT_ASSERT_EQUAL(422, error.status());
                CPPUNIT_ASSERT(std::string(error.what()).find("secret_name") != std::string::npos);
            }
        }
    }

    static void testVariableNames() {
        for (const std::string& variable : {std::string("A"), std::string("_"), std::string("a_1"),
                                            std::string("GITHUB_TOKEN"), std::string(256, 'A')}) {
            CPPUNIT_ASSERT_NO_THROW_MESSAGE(variable, VariableRules::requireName(variable));
        }
        for (const std::string& variable :
             {std::string(), std::string("1A"), std::string("A-B"), std::string("A=B"), std::string("A B"),
              std::string("A\n"), std::string("A\0", 2), std::string("\xc3\x84"), std::string(257, 'A')}) {
            CPPUNIT_ASSERT_THROW_MESSAGE(variable, VariableRules::requireName(variable), RequestError);
        }
    }

    static void testRefusedVariables() {
        const VariableRules rules({"PATH", "LD_*"});
        for (const char* variable : {"PATH", "LD_PRELOAD", "LD_"}) {
            CPPUNIT_ASSERT_MESSAGE(variable, rules.refuses(variable));
        }
        for (const char* variable : {"PATH2", "MYPATH", "path", "LD", "XLD_PRELOAD"}) {
            CPPUNIT_ASSERT_MESSAGE(variable, !rules.refuses(variable));
        }
        CPPUNIT_ASSERT(!VariableRules({}).refuses("PATH"));
    }

    static void testGrantsAreNormalised() {
        const std::vector<Grant> grants = normalisedGrants({{"GitHub", "GH"}, {"github", "GH2"}});
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, grants.size());
        CPPUNIT_ASSERT_EQUAL(std::string("github"), grants[0].secretName);
        CPPUNIT_ASSERT_EQUAL(std::string("GH2"), grants[1].envVar);
    }

    static void testAVariableTwiceIsRefused() {
        CPPUNIT_ASSERT_THROW(static_cast<void>(normalisedGrants({{"a", "A"}, {"b", "A"}})), RequestError);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(GrantRulesTest);

}  // namespace
}  // namespace sallyport::plugins
