#include <random>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>
#include <sallyport/json.h>

namespace sallyport {
namespace {

using json::Kind;
using json::Object;
using json::ParseError;
using json::Value;

std::string refusal(std::string_view text, std::size_t depth = json::defaultDepth) {
    try {
        static_cast<void>(Value::parse(text, depth));
    } catch (const ParseError& error) {
        return error.what();
    }
    return "accepted";
}

/// "422 " and the sentence with which `access` is refused.
template <class Access>
std::string fieldRefusal(const Access& access) {
    try {
        static_cast<void>(access());
    } catch (const RequestError& error) {
        CPPUNIT_ASSERT_EQUAL(std::string("invalid_field"), error.code());
        return std::to_string(error.status()) + " " + error.what();
    }
    return "accepted";
}

/// Refers to `text`, which must live on.
Object objectIn(const std::string& text) {
    return Value::parse(text).object();
}

class JsonTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JsonTest);
    CPPUNIT_TEST(testAccepts);
    CPPUNIT_TEST(testRefuses);
    CPPUNIT_TEST(testRefusalSaysWhereAndWhy);
    CPPUNIT_TEST(testRefusesWhatIsNotUtf8);
    CPPUNIT_TEST(testRefusesHalfASurrogatePair);
    CPPUNIT_TEST(testRefusesNulOutsideStrings);
    CPPUNIT_TEST(testDepth);
    CPPUNIT_TEST(testDeepNestingNeedsNoStack);
    CPPUNIT_TEST(testRawIsWhatWasWritten);
    CPPUNIT_TEST(testStrings);
    CPPUNIT_TEST(testNumbers);
    CPPUNIT_TEST(testBooleans);
    CPPUNIT_TEST(testElements);
    CPPUNIT_TEST(testMembers);
    CPPUNIT_TEST(testManyValuesTakeNoMoreThanTheyNeed);
    CPPUNIT_TEST(testCompact);
    CPPUNIT_TEST(testLastMemberIsFound);
    CPPUNIT_TEST(testRequired);
    CPPUNIT_TEST(testOptional);
    CPPUNIT_TEST(testRepeatedFieldIsRefused);
    CPPUNIT_TEST(testUnsigned32);
    CPPUNIT_TEST(testQuote);
    CPPUNIT_TEST(testQuoteFindsEscapesAnywhere);
    CPPUNIT_TEST(testQuoteReplacesWhatIsNotUtf8);
    CPPUNIT_TEST(testDamagedTextNeverHarms);
    CPPUNIT_TEST_SUITE_END();

    void testAccepts() {
        for (const char* text :
             {"null", "true", "false", "0", "-0", "1.5e-3", "1E+2", "\"\"", "\"a\\u0000b\"", "[]", "{}",
              "[[],{}]", " {\"a\" : [1 , 2] }\r\n\t", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
              "\"\xF0\x9F\x98\x80\"", "{\"\":1}", "12345678901234567890123456789012345678901234567890",
              "0.1000000000000000055511151231257827021181583404541015625"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string("accepted"), refusal(text));
        }
    }

    void testRefuses() {
        for (const char* text : {"",         " ",         "nul",     "True",   "01",      "-",
                                 "+1",       ".5",        "1.",      "1e",     "0x10",    "NaN",
                                 "Infinity", "-Infinity", "'a'",     "\"a",    "\"\\x\"", "\"\\u12g4\"",
                                 "\"a\nb\"", "\"\x01\"",  "[1,]",    "[,1]",   "[1 2]",   "{\"a\":1,}",
                                 "{a:1}",    "{\"a\" 1}", "{\"a\"}", "{1:2}",  "[1}",     "{\"a\":1]",
                                 "{} {}",    "1 2",       "[1]x",    "/* */1", "1 // c",  "\xEF\xBB\xBF{}",
                                 "]",        "}"}) {
            CPPUNIT_ASSERT_MESSAGE(text, refusal(text).starts_with("invalid JSON at byte "));
        }
    }

    void testRefusalSaysWhereAndWhy() {
        CPPUNIT_ASSERT_EQUAL(
            std::string("invalid JSON at byte 17: missing a comma or } after an object member"),
            refusal("{\"message\": \"hi\" \"x\": 1}"));
        CPPUNIT_ASSERT_EQUAL(std::string("invalid JSON at byte 0: there is no value"), refusal(""));
        CPPUNIT_ASSERT_EQUAL(std::string("invalid JSON at byte 3: something follows the end of the value"),
                             refusal("{} x"));
        CPPUNIT_ASSERT_EQUAL(std::string("invalid JSON at byte 1: a number is beyond the range of a double"),
                             refusal("[1e999]"));
    }

    void testRefusesWhatIsNotUtf8() {
        for (const char* text : {"\"\xFF\"", "\"\xC0\x80\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"",
                                 "\"\xE2\x82\"", "\"\x80\"", "\"\xF0\x80\x80\x80\"", "{\"\xFF\":1}"}) {
            CPPUNIT_ASSERT_MESSAGE(text, refusal(text).find("not UTF-8") != std::string::npos);
        }
    }

    void testRefusesHalfASurrogatePair() {
        for (const char* text : {R"("\ud800")", R"("\udc00")", R"("\ud800\u0041")", R"("\ud800x")",
                                 R"("\udc00\ud800")", R"({"\udfff":1})"}) {
            CPPUNIT_ASSERT_MESSAGE(text, refusal(text).find("half of a surrogate pair") != std::string::npos);
        }
        // U+D7A3 is the last character before the surrogates and encoded much like one.
        CPPUNIT_ASSERT_EQUAL(std::string("\xED\x9E\xA3"), Value::parse(R"("\ud7a3")").string().value());
    }

    void testRefusesNulOutsideStrings() {
        CPPUNIT_ASSERT_EQUAL(std::string("invalid JSON at byte 2: something follows the end of the value"),
                             refusal(std::string_view("{}\0{}", 5)));
        CPPUNIT_ASSERT(refusal(std::string_view("{}\0", 3)) != "accepted");
        CPPUNIT_ASSERT(refusal(std::string_view("[1,\0]", 5)) != "accepted");
        CPPUNIT_ASSERT(refusal(std::string_view("\"a\0b\"", 5)) != "accepted");
    }

    void testDepth() {
        CPPUNIT_ASSERT_EQUAL(std::string("accepted"), refusal("[[1]]", 2));
        CPPUNIT_ASSERT_EQUAL(std::string("accepted"), refusal("[[],[],[{}]]", 3));
        CPPUNIT_ASSERT_EQUAL(std::string("invalid JSON at byte 2: nested deeper than 2 levels"),
                             refusal("[[[]]]", 2));
        CPPUNIT_ASSERT_EQUAL(std::string("invalid JSON at byte 6: nested deeper than 1 levels"),
                             refusal("{\"a\": {}}", 1));
        const std::string deep = std::string(json::defaultDepth, '[') + std::string(json::defaultDepth, ']');
        CPPUNIT_ASSERT_EQUAL(std::string("accepted"), refusal(deep));
        CPPUNIT_ASSERT(refusal("[" + deep + "]") != "accepted");
    }

    void testDeepNestingNeedsNoStack() {
        constexpr std::size_t levels = 2'000'000;
        const std::string deep = std::string(levels, '[') + std::string(levels, ']');
        const Value value = Value::parse(deep, json::unlimited);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, value.elements().size());
        CPPUNIT_ASSERT(value.compact() == deep);
    }

    void testRawIsWhatWasWritten() {
        const std::string text = " { \"a\" : 1.50e1 , \"b\":\t[ true , \"x ] y\" ] , \"c\":\"\\u0041\" } ";
        const Value value = Value::parse(text);
        CPPUNIT_ASSERT_EQUAL(text.substr(1, text.size() - 2), std::string(value.raw()));
        const Object object = value.object();
        CPPUNIT_ASSERT_EQUAL(std::string("1.50e1"), std::string(object.find("a")->raw()));
        CPPUNIT_ASSERT_EQUAL(std::string("[ true , \"x ] y\" ]"), std::string(object.find("b")->raw()));
        CPPUNIT_ASSERT_EQUAL(std::string("\"\\u0041\""), std::string(object.find("c")->raw()));
    }

    void testStrings() {
        const auto decoded = [](const std::string& text) { return Value::parse(text).string().value(); };
        CPPUNIT_ASSERT_EQUAL(std::string(), decoded(R"("")"));
        CPPUNIT_ASSERT_EQUAL(std::string("\"\\/\b\f\n\r\t"), decoded(R"("\"\\\/\b\f\n\r\t")"));
        CPPUNIT_ASSERT_EQUAL(std::string("a\0b", 3), decoded(R"("a\u0000b")"));
        CPPUNIT_ASSERT_EQUAL(std::string("A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80!"),
                             decoded(R"("\u0041\u00e9\u20AC\ud83d\uDE00!")"));
        CPPUNIT_ASSERT_EQUAL(std::string("\\u0041"), decoded(R"("\\u0041")"));
        CPPUNIT_ASSERT_EQUAL(std::string("\xF4\x8F\xBF\xBF"), decoded(R"("\udbff\udfff")"));
        CPPUNIT_ASSERT(!Value::parse("1").string());
        CPPUNIT_ASSERT(!Value::parse("null").string());
    }

    void testNumbers() {
        const auto integer = [](const char* text) { return Value::parse(text).integer(); };
        CPPUNIT_ASSERT_EQUAL(std::int64_t{-7}, integer("-7").value());
        CPPUNIT_ASSERT_EQUAL(INT64_MAX, integer("9223372036854775807").value());
        CPPUNIT_ASSERT_EQUAL(INT64_MIN, integer("-9223372036854775808").value());
        CPPUNIT_ASSERT(!integer("9223372036854775808"));
        CPPUNIT_ASSERT(!integer("1.0"));
        CPPUNIT_ASSERT(!integer("1e2"));
        CPPUNIT_ASSERT(!integer("\"1\""));
        CPPUNIT_ASSERT_EQUAL(-1.5e3, Value::parse("-1.5e3").number().value());
        CPPUNIT_ASSERT_EQUAL(7.0, Value::parse("7").number().value());
        CPPUNIT_ASSERT(!Value::parse("\"7\"").number());
        CPPUNIT_ASSERT(!Value::parse("true").number());
    }

    void testBooleans() {
        CPPUNIT_ASSERT(Value::parse("true").boolean().value());
        CPPUNIT_ASSERT(!Value::parse("false").boolean().value());
        CPPUNIT_ASSERT(!Value::parse("null").boolean());
        CPPUNIT_ASSERT(!Value::parse("\"true\"").boolean());
        CPPUNIT_ASSERT(!Value::parse("1").boolean());
    }

    void testElements() {
        const std::string text = "[ 1, \"a,]\" ,[2,[3]],{\"b\":[4]}, null,true ]";
        std::vector<std::string> raws;
        std::vector<Kind> kinds;
        for (const Value& element : Value::parse(text).elements()) {
            raws.emplace_back(element.raw());
            kinds.push_back(element.kind());
        }
        CPPUNIT_ASSERT(
            (raws == std::vector<std::string>{"1", "\"a,]\"", "[2,[3]]", "{\"b\":[4]}", "null", "true"}));
        CPPUNIT_ASSERT((kinds == std::vector<Kind>{Kind::number, Kind::string, Kind::array, Kind::object,
                                                   Kind::null, Kind::boolean}));
        CPPUNIT_ASSERT(Value::parse("[ ]").elements().empty());
        CPPUNIT_ASSERT(Value::parse("{\"a\":1}").elements().empty());
    }

    void testMembers() {
        const std::string text = R"({"z":1, "a\u0062" : "\"}{" ,"":{"x":{}} , "\\":[]})";
        const Object object = Value::parse(text).object();
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, object.members().size());
        CPPUNIT_ASSERT_EQUAL(std::string("z"), object.members()[0].name);
        CPPUNIT_ASSERT_EQUAL(std::string("ab"), object.members()[1].name);
        CPPUNIT_ASSERT_EQUAL(std::string("\"}{"), object.members()[1].value.string().value());
        CPPUNIT_ASSERT_EQUAL(std::string("{\"x\":{}}"), std::string(object.find("")->raw()));
        CPPUNIT_ASSERT_EQUAL(std::string("\\"), object.members()[3].name);
        const Object none = Value::parse("[1]").object();
        CPPUNIT_ASSERT(none.members().empty());
    }

    void testManyValuesTakeNoMoreThanTheyNeed() {
        constexpr std::size_t count = 70'000;  // just above what a vector that doubles would have room for
        std::string list = "[0";
        std::string object = R"({"0":0)";
        for (std::size_t i = 1; i < count; ++i) {
            list += ',' + std::to_string(i);
            object += ",\"" + std::to_string(i) + "\":" + std::to_string(i);
        }
        list += ']';
        object += '}';
        const std::vector<Value> elements = Value::parse(list).elements();
        CPPUNIT_ASSERT_EQUAL(count, elements.size());
        CPPUNIT_ASSERT_EQUAL(count, elements.capacity());
        CPPUNIT_ASSERT_EQUAL(std::string("69999"), std::string(elements.back().raw()));
        const Object taken = objectIn(object);
        CPPUNIT_ASSERT_EQUAL(count, taken.members().size());
        CPPUNIT_ASSERT_EQUAL(count, taken.members().capacity());
        CPPUNIT_ASSERT_EQUAL(std::string("69999"), taken.members().back().name);
        CPPUNIT_ASSERT_EQUAL(std::string("69999"), std::string(taken.members().back().value.raw()));
    }

    void testCompact() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"a b":[1,2.50,"x  y","\" ,"],"c":null})"),
            Value::parse("{ \"a b\" :\n[ 1 ,\t2.50, \"x  y\", \"\\\" ,\" ] ,\r\n\"c\": null }").compact());
        CPPUNIT_ASSERT_EQUAL(std::string("\" \""), Value::parse(" \" \" ").compact());
    }

    void testLastMemberIsFound() {
        const std::string text = R"({"a":1,"a":2})";
        const Object object = objectIn(text);
        CPPUNIT_ASSERT_EQUAL(std::string("2"), std::string(object.find("a")->raw()));
        CPPUNIT_ASSERT(object.find("b") == nullptr);
    }

    void testRequired() {
        const std::string text = R"({"s":"x","b":true,"n":null})";
        const Object object = objectIn(text);
        CPPUNIT_ASSERT_EQUAL(std::string("x"), object.string("s"));
        CPPUNIT_ASSERT(object.boolean("b"));
        CPPUNIT_ASSERT(object.required("n").kind() == Kind::null);
        CPPUNIT_ASSERT_EQUAL(std::string("422 field 'q' is missing"),
                             fieldRefusal([&] { return object.string("q"); }));
        CPPUNIT_ASSERT_EQUAL(std::string("422 field 'b' must be a string, not a boolean"),
                             fieldRefusal([&] { return object.string("b"); }));
        CPPUNIT_ASSERT_EQUAL(std::string("422 field 'n' must be a string, not null"),
                             fieldRefusal([&] { return object.string("n"); }));
        CPPUNIT_ASSERT_EQUAL(std::string("422 field 's' must be a boolean, not a string"),
                             fieldRefusal([&] { return object.boolean("s"); }));
    }

    void testOptional() {
        const std::string text = R"({"s":"x","b":false,"n":null,"o":{}})";
        const Object object = objectIn(text);
        CPPUNIT_ASSERT_EQUAL(std::string("x"), object.optionalString("s").value());
        CPPUNIT_ASSERT_EQUAL(false, object.optionalBoolean("b").value());
        CPPUNIT_ASSERT(!object.optionalString("n") && !object.optionalBoolean("n"));
        CPPUNIT_ASSERT(!object.optionalString("q") && !object.optionalBoolean("q"));
        CPPUNIT_ASSERT(object.optional("n") == nullptr && object.optional("q") == nullptr);
        CPPUNIT_ASSERT(object.optional("o")->kind() == Kind::object);
        CPPUNIT_ASSERT_EQUAL(std::string("422 field 'o' must be a string, not an object"),
                             fieldRefusal([&] { return object.optionalString("o"); }));
        CPPUNIT_ASSERT_EQUAL(std::string("422 field 's' must be a boolean, not a string"),
                             fieldRefusal([&] { return object.optionalBoolean("s"); }));
    }

    void testRepeatedFieldIsRefused() {
        const std::string text = R"({"a":"x","a":"y","b":null,"\u0062":null,"ok":"z"})";
        const Object object = objectIn(text);
        const std::string sentence = "422 field 'a' is given more than once";
        CPPUNIT_ASSERT_EQUAL(sentence, fieldRefusal([&] { return object.string("a"); }));
        CPPUNIT_ASSERT_EQUAL(sentence, fieldRefusal([&] { return object.optionalString("a"); }));
        CPPUNIT_ASSERT_EQUAL(std::string("422 field 'b' is given more than once"),
                             fieldRefusal([&] { return object.optional("b"); }));
        CPPUNIT_ASSERT_EQUAL(std::string("z"), object.string("ok"));
    }

    void testUnsigned32() {
        const auto read = [](const std::string& value) {
            const std::string text = R"({"n":)" + value + "}";
            return objectIn(text).unsigned32("n");
        };
        CPPUNIT_ASSERT_EQUAL(std::uint32_t{0}, read("0"));
        CPPUNIT_ASSERT_EQUAL(UINT32_MAX, read("4294967295"));
        for (const char* value :
             {"4294967296", "-1", "1.0", "1e3", "\"1\"", "null", "true", "99999999999999999999"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(value,
                                         std::string("422 field 'n' must be an integer from 0 to 4294967295"),
                                         fieldRefusal([&] { return read(value); }));
        }
    }

    void testQuote() {
        CPPUNIT_ASSERT_EQUAL(std::string("\"\""), json::quote(""));
        CPPUNIT_ASSERT_EQUAL(std::string(R"("a\"\\\b\f\n\r\t/\u0000\u001f)") + "\x7F\xE2\x82\xAC\"",
                             json::quote(std::string_view("a\"\\\b\f\n\r\t/\0\x1F\x7F\xE2\x82\xAC", 15)));
        std::string every;
        for (int c = 0; c < 128; ++c) {
            every += static_cast<char>(c);
        }
        CPPUNIT_ASSERT_EQUAL(every, Value::parse(json::quote(every)).string().value());
    }

    void testQuoteFindsEscapesAnywhere() {
        for (std::size_t at = 0; at < 40; ++at) {
            for (const auto& [text, quoted] : {std::pair<std::string, std::string>{"\"", "\\\""},
                                               {"\\", "\\\\"},
                                               {"\x1F", "\\u001f"},
                                               {"\n", "\\n"},
                                               {"\xE2\x82\xAC", "\xE2\x82\xAC"},
                                               {"\x80", "\xEF\xBF\xBD"}}) {
                const std::string before(at, 'a');
                const std::string after(40 - at, ' ');
                CPPUNIT_ASSERT_EQUAL('"' + before + quoted + after + '"', json::quote(before + text + after));
            }
        }
    }

    void testQuoteReplacesWhatIsNotUtf8() {
        CPPUNIT_ASSERT_EQUAL(std::string("\"a\xEF\xBF\xBD"
                                         "b\""),
                             json::quote("a\xFF"
                                         "b"));
        CPPUNIT_ASSERT_EQUAL(std::string("\"\xEF\xBF\xBD\xEF\xBF\xBD\""), json::quote("\xE2\x82"));
        CPPUNIT_ASSERT_EQUAL(std::string("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""),
                             json::quote("\xED\xA0\x80"));
    }

    /// Texts near to JSON either are refused or can be walked over in every way.
    void testDamagedTextNeverHarms() {
        const std::string seed =
            R"( {"a":[1,-2.5e3,"x\u00e9\ud83d\ude00\\\"",{"b":null}],"c":{"d":[true,false]},"":"}"} )";
        const std::string replacements = std::string("{}[]\",:\\u0e-. \n\xED\xC3") + '\0';
        std::mt19937 random(20250101);
        const auto below = [&](std::size_t bound) {
            return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
        };
        int accepted = 0;
        for (int round = 0; round < 20'000; ++round) {
            std::string text = seed;
            for (std::size_t damage = below(3); damage-- > 0;) {
                text[below(text.size())] = replacements[below(replacements.size())];
            }
            if (refusal(text) == "accepted") {
                ++accepted;
                const Value value = Value::parse(text);
                const std::string compact = value.compact();
                CPPUNIT_ASSERT_EQUAL(std::string("accepted"), refusal(compact));
                CPPUNIT_ASSERT_EQUAL(compact, Value::parse(compact).compact());
                const Object before = value.object();
                const Object after = Value::parse(compact).object();
                CPPUNIT_ASSERT_EQUAL(before.members().size(), after.members().size());
            }
        }
        CPPUNIT_ASSERT(accepted > 0);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JsonTest);

}  // namespace
}  // namespace sallyport
