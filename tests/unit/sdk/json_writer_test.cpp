#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/json.h>
#include <sallyport/json_writer.h>

namespace sallyport {
namespace {

using json::Writer;

class JsonWriterTest final : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JsonWriterTest);
    CPPUNIT_TEST(testEachKind);
    CPPUNIT_TEST(testMembers);
    CPPUNIT_TEST(testNesting);
    CPPUNIT_TEST(testStringsAreQuoted);
    CPPUNIT_TEST(testAppends);
    CPPUNIT_TEST(testDepthIsBounded);
    CPPUNIT_TEST(testSizeIsBounded);
    CPPUNIT_TEST(testSizeIsKnownBefore);
    CPPUNIT_TEST_SUITE_END();

    template <class Write>
    static std::string written(Write write) {
        std::string text;
        Writer writer(text);
        write(writer);
        static_cast<void>(json::Value::parse(text));
        return text;
    }

    void testEachKind() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"(["a",1,-9223372036854775808,18446744073709551615,true,false,null,{"b":1.50}])"),
            written([](Writer& writer) {
                writer.beginArray().string("a").integer(1);
                writer.integer(std::numeric_limits<std::int64_t>::min());
                writer.integer(std::numeric_limits<std::uint64_t>::max());
                writer.boolean(true).boolean(false).null().raw(R"({"b":1.50})").endArray();
            }));
        CPPUNIT_ASSERT_EQUAL(std::string("{}"),
                             written([](Writer& writer) { writer.beginObject().endObject(); }));
        CPPUNIT_ASSERT_EQUAL(std::string("[]"),
                             written([](Writer& writer) { writer.beginArray().endArray(); }));
        CPPUNIT_ASSERT_EQUAL(std::string("7"), written([](Writer& writer) { writer.integer(7); }));
    }

    void testMembers() {
        const std::optional<std::string> nothing;
        const std::optional<std::string> something = "x";
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"({"literal":"a","text":"b","view":"c","yes":true,"count":3,"none":null,"some":"x","raw":[1]})"),
            written([&](Writer& writer) {
                writer.beginObject().member("literal", "a").member("text", std::string("b"));
                writer.member("view", std::string_view("c")).member("yes", true).member("count", 3U);
                writer.member("none", nothing).member("some", something).rawMember("raw", "[1]").endObject();
            }));
    }

    void testNesting() {
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"a":[{"b":1},{},[]],"c":{"d":[1,2]},"e":3})"),
                             written([](Writer& writer) {
                                 writer.beginObject().key("a").beginArray();
                                 writer.beginObject().member("b", 1).endObject();
                                 writer.beginObject().endObject().beginArray().endArray().endArray();
                                 writer.key("c").beginObject().key("d").beginArray().integer(1).integer(2);
                                 writer.endArray().endObject().member("e", 3).endObject();
                             }));
    }

    void testStringsAreQuoted() {
        const std::string hostile("\"},\n\x01\\\xff\xc3\xa4", 9);
        CPPUNIT_ASSERT_EQUAL(
            "{" + json::quote(hostile) + ":" + json::quote(hostile) + "}",
            written([&](Writer& writer) { writer.beginObject().member(hostile, hostile).endObject(); }));
    }

    void testAppends() {
        std::string text = "data: ";
        Writer(text).beginArray().integer(1).endArray();
        CPPUNIT_ASSERT_EQUAL(std::string("data: [1]"), text);
    }

    void testDepthIsBounded() {
        const auto nested = [](std::size_t depth) {
            return written([depth](Writer& writer) {
                for (std::size_t i = 0; i < depth; ++i) {
                    writer.beginArray().integer(0);
                }
                for (std::size_t i = 0; i < depth; ++i) {
                    writer.endArray();
                    if (i + 1 < depth) {
                        writer.integer(1);
                    }
                }
            });
        };
        const std::string deepest = nested(Writer::mostDepth);
        CPPUNIT_ASSERT(deepest.starts_with("[0,[0,") && deepest.ends_with("1],1],1]") &&
                       deepest.find("0,[0],1],1]") != std::string::npos);
        CPPUNIT_ASSERT_THROW(nested(Writer::mostDepth + 1), std::length_error);
    }

    void testSizeIsBounded() {
        const auto fits = [](std::size_t most, const std::string& element) {
            std::string text = "x";
            try {
                Writer(text, most).beginArray().string(element).endArray();
            } catch (const std::length_error&) {
                return false;
            }
            return true;
        };
        CPPUNIT_ASSERT(fits(8, "abc"));
        for (const std::size_t most : {0, 1, 2, 6, 7}) {
            CPPUNIT_ASSERT(!fits(most, "abc"));
        }
        CPPUNIT_ASSERT(fits(11, "\"\"\""));
        CPPUNIT_ASSERT(!fits(8, "\"\"\""));
    }

    void testSizeIsKnownBefore() {
        for (const std::string& text :
             {std::string(), std::string("plain"), std::string("\"\\\b\f\n\r\t/"),
              std::string("\0\x1f\x7f", 3), std::string("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
              std::string("\xff\xc3\xe2\x82 \xed\xa0\x80"),
              std::string(100, 'a') + "\xff" + std::string(100, '"')}) {
            std::string quoted;
            quoted.reserve(json::quotedSize(text));
            const char* const place = quoted.data();
            json::appendQuoted(quoted, text);
            CPPUNIT_ASSERT_EQUAL(json::quotedSize(text), quoted.size());
            CPPUNIT_ASSERT(place == quoted.data());
            CPPUNIT_ASSERT_EQUAL(json::quote(text), quoted);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JsonWriterTest);

}  // namespace
}  // namespace sallyport
