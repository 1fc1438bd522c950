#include "plugins/llm/secret_mask.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "plugins/llm/unescaped.h"
#include "tests/support/assertions.h"
#include "tests/support/key_spellings.h"

namespace sallyport::plugins::llm {
namespace {

using tests::base64;
using tests::spellingsOf;

const std::string key = "sk-key-of-the-provider-0123456789";

/// Where a piece of a spelling stands that is long enough to be masked, found the slow way.
std::vector<bool> marked(const SecretMask& mask, std::string_view text) {
    std::vector<bool> marks(text.size());
    for (const Spelling& spelling : mask.spellings()) {
        for (std::size_t from = 0; from < spelling.text().size(); ++from) {
            for (std::size_t at = 0; at < text.size(); ++at) {
                std::size_t size = 0;
                while (from + size < spelling.text().size() && at + size < text.size() &&
                       spelling.matches(from + size, text[at + size])) {
                    ++size;
                }
                if (size >= spelling.part()) {
                    std::fill_n(marks.begin() + static_cast<std::ptrdiff_t>(at), size, true);
                }
            }
        }
    }
    return marks;
}

class SecretMaskTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SecretMaskTest);
    CPPUNIT_TEST(testEverySpellingAtEveryPlace);
    CPPUNIT_TEST(testKeysOfAllSorts);
    CPPUNIT_TEST(testOtherTextIsLeftAlone);
    CPPUNIT_TEST(testNothingButTheKeyGoes);
    CPPUNIT_TEST(testSeveralSecrets);
    CPPUNIT_TEST(testHalfIsTooMuch);
    CPPUNIT_TEST(testTextThatWasCutOff);
    CPPUNIT_TEST(testShortAndMissingSecrets);
    CPPUNIT_TEST(testAgreesWithASlowSearch);
    CPPUNIT_TEST(testEscapes);
    CPPUNIT_TEST(testHostileTextTakesNoLongTime);
    CPPUNIT_TEST_SUITE_END();

    static void testEverySpellingAtEveryPlace() {
        const SecretMask mask({key});
        for (const auto& [how, text] : spellingsOf(key)) {
            for (std::size_t before = 0; before < 40; ++before) {
                const std::string filler(before, '.');
                std::string said = filler + '"' + text + '"' + filler;
                CPPUNIT_ASSERT_MESSAGE(how, mask.apply(said));
                ASSERT_LACKS(text.substr(text.size() / 2), said);
                ASSERT_CONTAINS(SecretMask::instead, said);
                CPPUNIT_ASSERT_MESSAGE(how + ": " + said,
                                       said.starts_with(filler + '"') && said.ends_with('"' + filler));
            }
        }
    }

    static void testKeysOfAllSorts() {
        for (const std::string& other :
             {std::string("8letters"), std::string("sk-ant-api03-") + std::string(95, 'Q') + "z-AA",
              std::string("a/b+c=d\"e\\f'g%h&i;j"), std::string("aaaaaaaaaaaaaaaaaaaaaaaa"),
              std::string(3000, 'k') + "end"}) {
            const SecretMask mask({other});
            for (const auto& [how, text] : spellingsOf(other)) {
                const std::string said = mask.masked("<" + text + ">");
                ASSERT_LACKS(text, said);
                ASSERT_CONTAINS(SecretMask::instead, said);
            }
        }
    }

    static void testOtherTextIsLeftAlone() {
        const SecretMask mask({key});
        for (const std::string text :
             {"", "s", "sk-", "sk-key-of-the-pr", "the provider's key", "SK-KEY-OF-THE-PROVIDER-0123456789",
              R"({"content":"a\nb \"c\" \u0073\u006b\u002d %73%6b &#115; \\u0073"})", "0123456789", "\\u00",
              "%7", "&#", "\\", "%", "&"}) {
            CPPUNIT_ASSERT_EQUAL(text, mask.masked(text));
        }
    }

    static void testNothingButTheKeyGoes() {
        const SecretMask mask({key});
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"a":"[key]","b":"[key]\n\u00e9"})"),
            mask.masked(R"({"a":")" + key + R"(","b":"\u0073)" + key.substr(1) + R"(\n\u00e9"})"));
        CPPUNIT_ASSERT_EQUAL(std::string("[key][key]"), mask.masked(key + key));
    }

    static void testSeveralSecrets() {
        const SecretMask mask({key, "proxyuser:pass-word-1", "pass-word-1"});
        CPPUNIT_ASSERT_EQUAL(std::string("[key] [key] Basic [key]==, [key]"),
                             mask.masked("pass-word-1 proxyuser:pass-word-1 Basic " +
                                         base64("proxyuser:pass-word-1") + "==, " + key));
    }

    static void testHalfIsTooMuch() {
        const SecretMask mask({key});
        const std::size_t half = (key.size() + 1) / 2;
        for (std::size_t from = 0; from + half <= key.size(); ++from) {
            for (std::size_t before = 0; before < half; ++before) {
                const std::string filler(before, '.');
                CPPUNIT_ASSERT_EQUAL(filler + "[key].", mask.masked(filler + key.substr(from, half) + '.'));
            }
            CPPUNIT_ASSERT_EQUAL(key.substr(from, half - 1), mask.masked(key.substr(from, half - 1)));
        }
    }

    static void testTextThatWasCutOff() {
        const SecretMask mask({key});
        for (std::size_t size = 4; size < key.size(); ++size) {
            CPPUNIT_ASSERT_EQUAL(std::string("it was [key]"),
                                 mask.maskedCut("it was " + key.substr(0, size)));
            CPPUNIT_ASSERT_EQUAL(std::string("it was [key]…"),
                                 mask.maskedCut("it was " + key.substr(0, size) + "…"));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("it was sk-"), mask.maskedCut("it was sk-"));
        CPPUNIT_ASSERT_EQUAL(std::string(), mask.maskedCut(""));
    }

    static void testShortAndMissingSecrets() {
        const SecretMask none;
        CPPUNIT_ASSERT_EQUAL(key, none.masked(key));
        const SecretMask placeholder({"none", "", "1234567"});
        CPPUNIT_ASSERT_EQUAL(std::string("none of 1234567"), placeholder.masked("none of 1234567"));
    }

    static void testAgreesWithASlowSearch() {
        std::mt19937 random(20260101);
        const auto below = [&](std::size_t limit) { return random() % limit; };
        const std::string letters = "abAB01-_";
        for (int round = 0; round < 400; ++round) {
            std::string secret;
            for (std::size_t i = 8 + below(40); i > 0; --i) {
                secret += letters[below(letters.size())];
            }
            const SecretMask mask({secret});
            std::string text;
            while (text.size() < 200) {
                const std::string_view spelling = mask.spellings()[below(mask.spellings().size())].text();
                const std::size_t from = below(spelling.size());
                text += spelling.substr(from, below(spelling.size() - from + 1));
                for (std::size_t i = below(6); i > 0; --i) {
                    text += letters[below(letters.size())];
                }
            }
            // Base64 takes its neighbours with it: only that no less is masked can be said of all.
            const auto marks = marked(mask, text);
            const std::string said = mask.masked(text);
            std::size_t kept = 0;
            for (std::size_t i = 0; i < text.size(); ++i) {
                kept += marks[i] ? 0 : 1;
            }
            CPPUNIT_ASSERT_EQUAL(std::count(marks.begin(), marks.end(), true) > 0, said != text);
            CPPUNIT_ASSERT(said.size() <= kept + SecretMask::instead.size() * (text.size() - kept));
            const auto left = marked(mask, said);
            CPPUNIT_ASSERT_MESSAGE(text + "\n" + said, std::count(left.begin(), left.end(), true) == 0);
        }
    }

    static void testEscapes() {
        const auto shown = [](std::string_view text) {
            const Escape escape = escapeAt(text, 0);
            return std::to_string(escape.size) + (escape.escaped ? std::string(" ") + escape.value : "");
        };
        for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{
                 {"k", "1"},        {"\\u006b", "6 k"}, {"\\u006B.", "6 k"}, {"\\u{6b}", "6 k"},
                 {"\\u00e9", "1"},  {"\\u006", "1"},    {"\\u00g6", "1"},    {"\\x6b", "4 k"},
                 {"\\153", "4 k"},  {"\\\\", "2 \\"},   {"\\/", "2 /"},      {"\\", "1"},
                 {"\\q", "1"},      {"%6b", "3 k"},     {"%6", "1"},         {"%zz", "1"},
                 {"&#107;", "6 k"}, {"&#x6b;", "6 k"},  {"&#X6B;", "6 k"},   {"&#0000107;", "10 k"},
                 {"&amp;", "5 &"},  {"&lt;", "4 <"},    {"&nope;", "1"},     {"&#;", "1"},
                 {"&#233;", "1"},   {"&#-7;", "1"},     {"%-1", "1"}}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, expected, shown(text));
        }
        Unescaped part("..\\\\u0025%36b..", 2, 13);
        CPPUNIT_ASSERT(part.undo());
        CPPUNIT_ASSERT_EQUAL(std::string("\\u00256b"), std::string(part.text()));
        CPPUNIT_ASSERT(part.undo());
        CPPUNIT_ASSERT(part.undo());
        CPPUNIT_ASSERT_EQUAL(std::string("k"), std::string(part.text()));
        CPPUNIT_ASSERT(!part.undo());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, part.origin(0));
        CPPUNIT_ASSERT_EQUAL(std::size_t{13}, part.origin(1));
    }

    /// Linear in what comes: otherwise this would not end.
    static void testHostileTextTakesNoLongTime() {
        const SecretMask mask({key, std::string(1000, 'a') + "b"});
        for (const std::string& piece : {std::string("\\u0061"), std::string("\\"), std::string("a"),
                                         std::string("%2525"), std::string("&amp;"), key.substr(0, 16)}) {
            std::string text;
            while (text.size() < 1'000'000) {
                text += piece;
            }
            CPPUNIT_ASSERT(mask.masked(text).size() <= text.size());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SecretMaskTest);

}  // namespace
}  // namespace sallyport::plugins::llm
