#include <random>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/json_reader.h>

namespace sallyport {
namespace {

bool accepts(const std::string& text, std::size_t depth = json::defaultDepth) {
    try {
        static_cast<void>(json::Value::parse(text, depth));
        return true;
    } catch (const json::ParseError&) {
        return false;
    }
}

/// Steps into every container and reads every name.
void walk(json::Reader& reader) {
    switch (reader.kind()) {
        case json::Kind::object:
            reader.enterObject();
            while (reader.nextMember()) {
                walk(reader);
            }
            break;
        case json::Kind::array:
            reader.enterArray();
            while (reader.nextElement()) {
                walk(reader);
            }
            break;
        default:
            reader.skip();
            break;
    }
}

bool walksThrough(const std::string& text) {
    try {
        json::Reader reader(text);
        walk(reader);
        reader.end();
        return true;
    } catch (const json::ParseError&) {
        return false;
    }
}

class JsonReaderTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JsonReaderTest);
    CPPUNIT_TEST(testWhatIsJson);
    CPPUNIT_TEST(testWhatIsNot);
    CPPUNIT_TEST(testStringsOfEveryLength);
    CPPUNIT_TEST(testSkippingAndWalkingAgree);
    CPPUNIT_TEST(testDepth);
    CPPUNIT_TEST(testValues);
    CPPUNIT_TEST(testNotUtf8);
    CPPUNIT_TEST(testWalking);
    CPPUNIT_TEST(testEscapedNames);
    CPPUNIT_TEST(testSaysWhere);
    CPPUNIT_TEST(testTextBytes);
    CPPUNIT_TEST_SUITE_END();

    static void testWhatIsJson() {
        for (const char* text : {"0",
                                 "-0",
                                 "1.5e-3",
                                 "10E+2",
                                 "1e308",
                                 "1e-999",
                                 "-0.5E0",
                                 "true",
                                 "false",
                                 "null",
                                 "\"\"",
                                 R"("a\"\\\/\b\f\n\r\t\u00e9")",
                                 R"("\ud83d\ude42")",
                                 "[]",
                                 "[ ]",
                                 "[1, 2]",
                                 "{}",
                                 "{ }",
                                 R"({"a":1,"a":2})",
                                 " \t\r\n[1]\n ",
                                 "\"\xc3\xa9\xf0\x9f\x99\x82\"",
                                 R"({"a":{"b":[{},[],""]}})"}) {
            CPPUNIT_ASSERT_MESSAGE(text, accepts(text));
        }
    }

    static void testWhatIsNot() {
        const std::vector<std::string> texts = {
            "",
            " ",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "1.2.3",
            "1e309",
            "10e308",
            "1e99999999999999999999",
            std::string(310, '1'),
            "tru",
            "truex",
            "nul",
            "NaN",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1",
            "]",
            "{",
            R"({"a"})",
            R"({"a":})",
            R"({"a":1,})",
            R"({,"a":1})",
            R"({a:1})",
            R"({"a":1]})",
            R"([1})",
            R"("a)",
            R"("\)",
            R"("\x")",
            R"("\u12")",
            R"("\u12g4")",
            R"("\ud83d")",
            R"("\ud83d\n")",
            R"("\ud83dx")",
            R"("\ud83d\u0041")",
            R"("\ude42")",
            "\"a\nb\"",
            "\"a\tb\"",
            std::string("\"a\0b\"", 5),
            std::string("1\0", 2),
            "\"\xff\"",
            "\"\xc0\xaf\"",
            "\"\xed\xa0\x80\"",
            "1 2",
            "{} {}",
            "\xef\xbb\xbf{}",
        };
        for (const std::string& text : texts) {
            CPPUNIT_ASSERT_MESSAGE(text, !accepts(text));
        }
    }

    // Strings are looked at in steps of several bytes; whatever is wrong must be found at every offset of
    // those.
    static void testStringsOfEveryLength() {
        for (std::size_t before = 0; before < 140; ++before) {
            for (std::size_t after = 0; after < 140; after += 5) {
                const auto around = [&](std::string_view middle) {
                    std::string text = '"' + std::string(before, 'x');
                    text += middle;
                    return text.append(after, 'y') += '"';
                };
                CPPUNIT_ASSERT_EQUAL(before + after + 2, json::Value::parse(around("")).raw().size());
                CPPUNIT_ASSERT(accepts(around("\\n")));
                CPPUNIT_ASSERT(accepts(around("\xc3\xa9\x7f")));
                CPPUNIT_ASSERT(!accepts(around("\x1f")));
                CPPUNIT_ASSERT(!accepts(around("\"")));
                CPPUNIT_ASSERT(!accepts(around("\\q")));
                // What is escaped does not end the string, nor escape in its turn.
                CPPUNIT_ASSERT_EQUAL(before + after + 4, json::Value::parse(around("\\\"")).raw().size());
                CPPUNIT_ASSERT_EQUAL(before + after + 6, json::Value::parse(around("\\\\\\\"")).raw().size());
                CPPUNIT_ASSERT(!accepts(around("\\\\\"")));
            }
        }
    }

    // The texts are made by damaging good ones, always in the same way.
    static void testSkippingAndWalkingAgree() {
        const std::vector<std::string> seeds = {
            R"({"messages":[{"role":"user","content":"a \"b\" \u00e9 \ud83d\ude42 c\n"}],"n":-1.5e3,"t":true})",
            R"([[],{},[{"a":null}],"\\",0.1,{"":""},false])", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82\""};
        const std::string alphabet = "{}[]\",:\\u0d8e1-. tnf\n\x01\xc3";
        std::mt19937 random(1);
        // Strings of some length, in which an escape may stand anywhere.
        const std::vector<std::string> parts = {"x",    "plain text", "\\n",     "\\\"",
                                                "\\\\", R"(\u0041)",  "\xc3\xa9"};
        const auto longString = [&] {
            std::string text = "\"";
            for (auto left = random() % 80; left > 0; --left) {
                text += parts[random() % parts.size()];
            }
            return text += '"';
        };
        for (int round = 0; round < 40000; ++round) {
            std::string text = round % 2 == 0 ? seeds[random() % seeds.size()] : longString();
            for (auto changes = 1 + random() % 3; changes > 0; --changes) {
                const std::size_t at = random() % text.size();
                switch (random() % 3) {
                    case 0:
                        text[at] = alphabet[random() % alphabet.size()];
                        break;
                    case 1:
                        text.erase(at, 1 + random() % 3);
                        break;
                    default:
                        text.insert(at, 1, alphabet[random() % alphabet.size()]);
                        break;
                }
                if (text.empty()) {
                    text = "0";
                }
            }
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, walksThrough(text), accepts(text));
        }
    }

    static void testDepth() {
        CPPUNIT_ASSERT(accepts("[[[]]]", 3));
        CPPUNIT_ASSERT(!accepts("[[[]]]", 2));
        CPPUNIT_ASSERT(accepts(R"([{"a":[]},{"a":[]}])", 3));
        CPPUNIT_ASSERT(!accepts(R"([{"a":[]},{"a":[]}])", 2));
        CPPUNIT_ASSERT(!accepts(std::string(1000000, '[')));
    }

    static void testValues() {
        const auto exceeds = [](const std::string& text, std::size_t values) {
            try {
                static_cast<void>(json::Value::parse(text, json::Limits{.values = values}));
                return false;
            } catch (const json::LimitExceeded& error) {
                CPPUNIT_ASSERT_EQUAL("the JSON has more than " + std::to_string(values) +
                                         " elements and members, which is the limit here "
                                         "(http.max_json_members)",
                                     std::string(error.what()));
                return true;
            }
        };
        CPPUNIT_ASSERT(!exceeds("1", 0));
        CPPUNIT_ASSERT(!exceeds("[]", 0));
        CPPUNIT_ASSERT(exceeds("[1]", 0));
        CPPUNIT_ASSERT(!exceeds("[1,2,3]", 3));
        CPPUNIT_ASSERT(exceeds("[1,2,3,4]", 3));
        CPPUNIT_ASSERT(!exceeds(R"({"a":1,"a":[{}]})", 3));
        CPPUNIT_ASSERT(exceeds(R"({"a":1,"a":[{}]})", 2));
        // Commas in strings separate nothing.
        CPPUNIT_ASSERT(!exceeds(R"([",[{,,\",,"])", 1));
        // What comes behind was not looked at.
        CPPUNIT_ASSERT(exceeds("[1,2 nonsense", 1));
        CPPUNIT_ASSERT(!exceeds("[" + std::string(1'999'998, ' ') + "]", 1));
    }

    static void testNotUtf8() {
        const auto problem = [](const std::string& text) {
            try {
                json::Reader{text};
                return std::string("accepted");
            } catch (const json::ParseError& error) {
                return std::string(error.what());
            }
        };
        const std::vector<std::string> good = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x99\x82", "\xed\x9f\xbf",
                                               "\xf4\x8f\xbf\xbf"};
        const std::vector<std::string> bad = {"\x80",         "\xc3",         "\xc0\xaf",         "\xe2\x82",
                                              "\xed\xa0\x80", "\xe0\x80\xaf", "\xf4\x90\x80\x80", "\xf8"};
        for (std::size_t before = 0; before < 70; ++before) {
            for (std::size_t after = 0; after < 70; after += 7) {
                for (const std::string& character : good) {
                    const std::string text = std::string(before, 'a') + character + std::string(after, 'b');
                    CPPUNIT_ASSERT_EQUAL(std::string("accepted"), problem(text + text));
                }
                for (const std::string& piece : bad) {
                    const std::string text = std::string(before, 'a') + piece + std::string(after, 'b');
                    CPPUNIT_ASSERT_EQUAL(
                        "invalid JSON at byte " + std::to_string(before) + ": the text is not UTF-8",
                        problem(text));
                }
            }
        }
    }

    static void testWalking() {
        json::Reader reader(R"( {"a": [1, "two" ], "b" :{"c":null}, "d":-2.5 } )");
        CPPUNIT_ASSERT(json::Kind::object == reader.kind());
        reader.enterObject();
        CPPUNIT_ASSERT_EQUAL(std::string("a"), std::string(reader.nextMember().value()));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, reader.memberStart());
        CPPUNIT_ASSERT(json::Kind::array == reader.kind());
        reader.enterArray();
        CPPUNIT_ASSERT(reader.nextElement());
        CPPUNIT_ASSERT_EQUAL(std::string("1"), std::string(reader.skip()));
        CPPUNIT_ASSERT(reader.nextElement());
        CPPUNIT_ASSERT(json::Kind::string == reader.kind());
        CPPUNIT_ASSERT_EQUAL(std::string("\"two\""), std::string(reader.skip()));
        CPPUNIT_ASSERT(!reader.nextElement());
        CPPUNIT_ASSERT_EQUAL(std::string("b"), std::string(reader.nextMember().value()));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"c":null})"), std::string(reader.skip()));
        CPPUNIT_ASSERT_EQUAL(std::string("d"), std::string(reader.nextMember().value()));
        CPPUNIT_ASSERT_EQUAL(std::string("-2.5"), std::string(reader.skip()));
        CPPUNIT_ASSERT(!reader.nextMember());
        CPPUNIT_ASSERT_NO_THROW(reader.end());
    }

    static void testEscapedNames() {
        json::Reader reader(R"({"mod\u0065l":1})");
        reader.enterObject();
        CPPUNIT_ASSERT_EQUAL(std::string("model"), std::string(reader.nextMember().value()));
    }

    static void testSaysWhere() {
        try {
            static_cast<void>(json::Value::parse("{\"a\":[1,\n  2 3]}"));
            CPPUNIT_FAIL("accepted");
        } catch (const json::ParseError& error) {
            CPPUNIT_ASSERT_EQUAL(
                std::string("invalid JSON at byte 13: missing a comma or ] after an array element"),
                std::string(error.what()));
        }
    }

    // An image is many bytes and few tokens.
    static void testTextBytes() {
        const auto textBytes = [](const std::string& text) {
            json::Reader reader(text);
            reader.skip();
            return reader.textBytes();
        };
        CPPUNIT_ASSERT_EQUAL(std::size_t{8}, textBytes(R"({"a":"bcd","efg":["h",1]})"));
        const std::string base64(5000, 'A');
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, textBytes(R"({"a":"data:image/png;base64,)" + base64 + "\"}"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{5003}, textBytes(R"({"a":"I )" + base64 + "\"}"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JsonReaderTest);

}  // namespace
}  // namespace sallyport
