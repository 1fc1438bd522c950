#include "plugins/llm/models.h"

#include <stdexcept>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>

namespace sallyport::plugins::llm {
namespace {

using Names = std::vector<std::string>;

class ModelsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ModelsTest);
    CPPUNIT_TEST(testAllAreAllowedWithoutAList);
    CPPUNIT_TEST(testOnlyListedOnes);
    CPPUNIT_TEST(testAliases);
    CPPUNIT_TEST(testAliasIsAllowedByEitherName);
    CPPUNIT_TEST(testAliasesOfAliasesAreNotFollowed);
    CPPUNIT_TEST(testMalformedNames);
    CPPUNIT_TEST(testDroppedParameters);
    CPPUNIT_TEST(testNames);
    CPPUNIT_TEST(testMalformedEntries);
    CPPUNIT_TEST_SUITE_END();

    static std::string refusal(const Models& models, const std::string& asked) {
        try {
            return "taken as " + models.resolve(asked);
        } catch (const RequestError& error) {
            return std::to_string(error.status()) + " " + error.code();
        }
    }

    void testAllAreAllowedWithoutAList() {
        CPPUNIT_ASSERT_EQUAL(std::string("anything"), Models({}).resolve("anything"));
    }

    void testOnlyListedOnes() {
        const Models models({.allowed = {"gpt-5", "claude-*"}});
        CPPUNIT_ASSERT_EQUAL(std::string("gpt-5"), models.resolve("gpt-5"));
        CPPUNIT_ASSERT_EQUAL(std::string("claude-x"), models.resolve("claude-x"));
        for (const char* other : {"gpt-5-mini", "GPT-5", "claude", "*"}) {
            CPPUNIT_ASSERT_EQUAL(std::string("403 model_not_allowed"), refusal(models, other));
            CPPUNIT_ASSERT(!models.allows(other));
        }
    }

    void testAliases() {
        const Models models({.aliases = {"fast=gpt-5-mini", "odd=a=b"}});
        CPPUNIT_ASSERT_EQUAL(std::string("gpt-5-mini"), models.resolve("fast"));
        CPPUNIT_ASSERT_EQUAL(std::string("a=b"), models.resolve("odd"));
        CPPUNIT_ASSERT_EQUAL(std::string("faster"), models.resolve("faster"));
    }

    void testAliasIsAllowedByEitherName() {
        const Models byAlias({.allowed = {"fast"}, .aliases = {"fast=gpt-5-mini"}});
        CPPUNIT_ASSERT_EQUAL(std::string("gpt-5-mini"), byAlias.resolve("fast"));
        CPPUNIT_ASSERT_EQUAL(std::string("403 model_not_allowed"), refusal(byAlias, "gpt-5-mini"));
        const Models byModel({.allowed = {"gpt-*"}, .aliases = {"fast=gpt-5-mini", "other=claude"}});
        CPPUNIT_ASSERT_EQUAL(std::string("gpt-5-mini"), byModel.resolve("fast"));
        CPPUNIT_ASSERT_EQUAL(std::string("403 model_not_allowed"), refusal(byModel, "other"));
    }

    void testAliasesOfAliasesAreNotFollowed() {
        const Models models({.aliases = {"a=b", "b=a"}});
        CPPUNIT_ASSERT_EQUAL(std::string("b"), models.resolve("a"));
        CPPUNIT_ASSERT_EQUAL(std::string("a"), models.resolve("b"));
    }

    void testMalformedNames() {
        const Models models({});
        CPPUNIT_ASSERT_EQUAL(std::string("422 invalid_field"), refusal(models, ""));
        CPPUNIT_ASSERT_EQUAL(std::string("422 invalid_field"), refusal(models, std::string(201, 'm')));
        CPPUNIT_ASSERT_EQUAL(std::string(200, 'm'), models.resolve(std::string(200, 'm')));
    }

    void testDroppedParameters() {
        const Models models({.dropped = {"o*=temperature+top_p", "o3=top_p+stop", "x=seed"}});
        CPPUNIT_ASSERT(models.dropped("o3") == Names({"stop", "temperature", "top_p"}));
        CPPUNIT_ASSERT(models.dropped("o1") == Names({"temperature", "top_p"}));
        CPPUNIT_ASSERT(models.dropped("gpt").empty());
    }

    void testNames() {
        const Models models(
            {.allowed = {"gpt-5", "claude-*", "fast"}, .aliases = {"fast=x", "c=claude-y", "no=z"}});
        CPPUNIT_ASSERT(models.names() == Names({"c", "fast", "gpt-5"}));
    }

    void testMalformedEntries() {
        for (const Models::Rules& rules : std::vector<Models::Rules>{{.allowed = {"a*b"}},
                                                                     {.allowed = {""}},
                                                                     {.aliases = {"a"}},
                                                                     {.aliases = {"a="}},
                                                                     {.aliases = {"=a"}},
                                                                     {.aliases = {"a=b", "a=c"}},
                                                                     {.dropped = {"m"}},
                                                                     {.dropped = {"m=a++b"}},
                                                                     {.dropped = {"m=a+"}},
                                                                     {.dropped = {"*m=a"}}}) {
            CPPUNIT_ASSERT_THROW(Models{rules}, std::invalid_argument);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ModelsTest);

}  // namespace
}  // namespace sallyport::plugins::llm
