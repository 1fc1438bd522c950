#include "plugins/llm/stream_mask.h"

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/key_spellings.h"

namespace sallyport::plugins::llm {
namespace {

using tests::base64;

const std::string providerKey = "sk-key-of-the-provider-0123456789";

/// Of the key, that are held back.
constexpr std::size_t leastHeld = 10;

/// Less than that of each key may have been handed on before it was one.
std::string withoutBegun(std::string text) {
    for (std::size_t begun = leastHeld - 1; begun > 0; --begun) {
        const std::string seen = providerKey.substr(0, begun) + "[key]";
        for (auto at = text.find(seen); at != std::string::npos; at = text.find(seen)) {
            text.erase(at, begun);
        }
    }
    return text;
}

class StreamMaskTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StreamMaskTest);
    CPPUNIT_TEST(testOtherTextGoesOnAtOnce);
    CPPUNIT_TEST(testKeyInOneEvent);
    CPPUNIT_TEST(testKeyInTwoEventsCutAnywhere);
    CPPUNIT_TEST(testKeyByTheCharacter);
    CPPUNIT_TEST(testKeyBetweenLongPieces);
    CPPUNIT_TEST(testWhatIsNoKeyAfterAllIsHandedOn);
    CPPUNIT_TEST(testTextsAreApart);
    CPPUNIT_TEST(testEventsOfOtherTextsBetween);
    CPPUNIT_TEST(testTextThatDoesNotGoOnHoldsNothingBack);
    CPPUNIT_TEST(testOtherSpellingsInPieces);
    CPPUNIT_TEST(testEndGivesUpWhatWasHeldBack);
    CPPUNIT_TEST(testWithoutASecret);
    CPPUNIT_TEST(testRandomCuts);
    CPPUNIT_TEST_SUITE_END();

    const SecretMask mask_{{providerKey}};
    StreamMask stream_{mask_};
    std::string seen_;

public:
    void setUp() override { seen_.clear(); }

private:
    /// One event with a piece of a text. @return what is handed on because of it
    std::string feed(const std::string& text, std::uint64_t channel = 0) {
        const std::string before = R"({"text":")";
        const std::string event = before + text + "\"}\n";
        std::string passed;
        const TextPiece piece{channel, before.size(), text.size()};
        stream_.feed(event, {&piece, 1}, [&](std::string_view bytes) { passed += bytes; });
        seen_ += passed;
        return passed;
    }
    void end() { seen_ += stream_.end(); }
    /// The text that all events that were handed on make up.
    [[nodiscard]] std::string text() const {
        const std::string begin = R"({"text":")";
        std::string joined;
        for (auto at = seen_.find(begin); at != std::string::npos; at = seen_.find(begin, at + 1)) {
            const auto from = at + begin.size();
            joined += seen_.substr(from, seen_.find("\"}\n", from) - from);
        }
        return joined;
    }

    void testOtherTextGoesOnAtOnce() {
        for (const char* piece :
             {"the ", "sk", "sk-", "key", "s", "k", "-", "ke", "\\u0073", "é", "", "sk-key-of"}) {
            CPPUNIT_ASSERT_EQUAL(R"({"text":")" + std::string(piece) + "\"}\n", feed(piece));
        }
        CPPUNIT_ASSERT_EQUAL(std::string(), stream_.end());
    }

    void testKeyInOneEvent() {
        CPPUNIT_ASSERT_EQUAL(std::string("{\"text\":\"it is [key].\"}\n"),
                             feed("it is " + providerKey + "."));
        CPPUNIT_ASSERT_EQUAL(std::string("{\"text\":\"[key]\"}\n"), feed("%73" + providerKey.substr(1)));
    }

    void testKeyInTwoEventsCutAnywhere() {
        for (std::size_t cut = 1; cut < providerKey.size(); ++cut) {
            seen_.clear();
            feed("it is " + providerKey.substr(0, cut));
            feed(providerKey.substr(cut) + ". So");
            feed(" there");
            end();
            const std::string begun = cut < leastHeld ? providerKey.substr(0, cut) : "";
            CPPUNIT_ASSERT_EQUAL("it is " + begun + "[key]. So there", text());
        }
    }

    void testKeyByTheCharacter() {
        for (const char c : "it is " + providerKey + ".") {
            feed(std::string(1, c));
        }
        end();
        CPPUNIT_ASSERT_EQUAL(std::string("it is sk-key-of[key]."), text());
    }

    void testKeyBetweenLongPieces() {
        for (const std::string& filler : {std::string(5000, '.'), std::string(5000, 's'),
                                          providerKey + providerKey + std::string(900, '.')}) {
            for (std::size_t cut = leastHeld; cut < providerKey.size(); ++cut) {
                for (const bool escaped : {false, true}) {
                    seen_.clear();
                    const std::string first =
                        escaped ? "\\u0073" + providerKey.substr(1, cut - 1) : providerKey.substr(0, cut);
                    feed(filler + first);
                    feed(providerKey.substr(cut) + filler);
                    end();
                    const std::string masked = mask_.masked(filler);
                    CPPUNIT_ASSERT_EQUAL(masked + "[key]" + masked, text());
                }
            }
        }
    }

    void testWhatIsNoKeyAfterAllIsHandedOn() {
        CPPUNIT_ASSERT_EQUAL(std::string(), feed("say sk-key-of-t"));
        CPPUNIT_ASSERT_EQUAL(std::string(), feed("he"));
        CPPUNIT_ASSERT_EQUAL(
            std::string("{\"text\":\"say sk-key-of-t\"}\n{\"text\":\"he\"}\n{\"text\":\" door\"}\n"),
            feed(" door"));
    }

    void testTextsAreApart() {
        feed(providerKey.substr(0, 20), 1);
        feed(providerKey.substr(20), 2);
        end();
        ASSERT_CONTAINS(providerKey.substr(20), seen_);
        ASSERT_LACKS(providerKey.substr(0, 20), seen_);  // more than half of it
    }

    void testEventsOfOtherTextsBetween() {
        feed(providerKey.substr(0, 12), 1);
        CPPUNIT_ASSERT_EQUAL(std::string(), feed("other", 2));
        feed(providerKey.substr(12), 1);
        CPPUNIT_ASSERT_EQUAL(std::string("{\"text\":\"[key]\"}\n{\"text\":\"other\"}\n{\"text\":\"\"}\n"),
                             seen_);
    }

    void testTextThatDoesNotGoOnHoldsNothingBack() {
        feed(providerKey.substr(0, 12), 1);
        std::string passed;
        for (int i = 0; i < 100 && passed.empty(); ++i) {
            passed = feed("other", 2);
        }
        ASSERT_CONTAINS(providerKey.substr(0, 12), passed);
        CPPUNIT_ASSERT_EQUAL(std::string("{\"text\":\"other\"}\n"), feed("other", 2));
    }

    void testOtherSpellingsInPieces() {
        for (const std::string& spelling :
             {base64(providerKey), base64("x" + providerKey, true), base64("xy" + providerKey)}) {
            for (const std::size_t cut : {std::size_t{16}, spelling.size() / 2}) {
                seen_.clear();
                feed(spelling.substr(0, cut));
                feed(spelling.substr(cut));
                end();
                ASSERT_CONTAINS("[key]", text());
                ASSERT_LACKS(spelling.substr(8, 16), text());
                ASSERT_LACKS(spelling.substr(20, 16), text());
            }
        }
        // With escapes of its JSON.
        seen_.clear();
        feed("\\u0073\\u006b-key-of-the");
        feed(providerKey.substr(13));
        end();
        CPPUNIT_ASSERT_EQUAL(std::string("[key]"), text());
    }

    void testEndGivesUpWhatWasHeldBack() {
        CPPUNIT_ASSERT_EQUAL(std::string(), feed("sk-key-of-the"));
        end();
        CPPUNIT_ASSERT_EQUAL(std::string("sk-key-of-the"), text());
        seen_.clear();
        feed("it was " + providerKey.substr(0, 12));
        feed(providerKey.substr(12, 6));
        end();
        CPPUNIT_ASSERT_EQUAL(std::string("it was [key]"), text());
    }

    void testWithoutASecret() {
        const SecretMask none;
        StreamMask stream(none);
        const TextPiece piece{0, 0, providerKey.size()};
        std::string passed;
        stream.feed(providerKey, {&piece, 1}, [&](std::string_view bytes) { passed += bytes; });
        CPPUNIT_ASSERT_EQUAL(providerKey, passed);
    }

    /// However a text with keys in it is cut, nothing of them is left, and nothing else is gone.
    void testRandomCuts() {
        std::mt19937 random(7);
        for (int round = 0; round < 500; ++round) {
            seen_.clear();
            std::string whole;
            std::string expected;
            for (int i = 0; i < 5; ++i) {
                const std::string other(random() % 20, '.');
                whole += other + providerKey;
                expected += other + "[key]";
            }
            while (!whole.empty()) {
                const std::size_t size = std::min<std::size_t>(whole.size(), 1 + random() % 24);
                feed(whole.substr(0, size));
                whole.erase(0, size);
            }
            end();
            CPPUNIT_ASSERT_EQUAL(expected, withoutBegun(text()));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(StreamMaskTest);

}  // namespace
}  // namespace sallyport::plugins::llm
