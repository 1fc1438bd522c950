#include "host/log/line.h"

#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/json.h>

namespace sallyport::host::log {
namespace {

const Timestamp someTime{std::chrono::milliseconds(1'795'394'641'123)};  // 2026-11-23T00:44:01.123Z

std::string textOf(Logger::Fields fields, std::string_view message = "done") {
    const std::string line = formatLine(Format::text, {someTime, LogLevel::info, "http", message, fields});
    const std::string head = "2026-11-23T00:44:01.123Z INFO  http: ";
    CPPUNIT_ASSERT_EQUAL(head, line.substr(0, head.size()));
    CPPUNIT_ASSERT_EQUAL('\n', line.back());
    return line.substr(head.size(), line.size() - head.size() - 1);
}

std::string jsonOf(Logger::Fields fields, std::string_view message = "done") {
    const std::string line = formatLine(Format::json, {someTime, LogLevel::info, "http", message, fields});
    const std::string head = R"({"time":"2026-11-23T00:44:01.123Z","level":"info","component":"http")";
    CPPUNIT_ASSERT_EQUAL(head, line.substr(0, head.size()));
    CPPUNIT_ASSERT_EQUAL('\n', line.back());
    static_cast<void>(json::Value::parse(line));  // throws if it is no JSON
    return line.substr(head.size(), line.size() - head.size() - 1);
}

/// What a client could send to forge a line, or to steer the terminal on which it is read.
struct Hostile {
    const char* sent;
    const char* text;
    const char* json;
};

const Hostile hostile[] = {
    {"a\nb", R"("a\nb")", R"("a\nb")"},
    {"a\rb", R"("a\rb")", R"("a\rb")"},
    {"a\tb", R"("a\tb")", R"("a\tb")"},
    {"\x1b[2J", R"("\u001b[2J")", R"("\u001b[2J")"},
    {"\x7f", R"("\u007f")", R"("\u007f")"},
    {"\xC2\x9b"
     "31m",
     R"("\u009b31m")", R"("\u009b31m")"},            // CSI in one character
    {"\x9b", R"("\x9b")", R"("\ufffd")"},            // and as a lone byte
    {"\xE2\x80\xA8", R"("\u2028")", R"("\u2028")"},  // line separator
    // NOLINTBEGIN(misc-misleading-bidirectional)
    {"\xE2\x80\xAEgpj", R"("\u202egpj")", R"("\u202egpj")"},  // right-to-left override
    {"\xE2\x81\xA6x", R"("\u2066x")", R"("\u2066x")"},        // right-to-left isolate
    // NOLINTEND(misc-misleading-bidirectional)
    {"\xC0\x8A", R"("\xc0\x8a")", R"("\ufffd\ufffd")"},                // overlong newline
    {"\xED\xA0\x80", R"("\xed\xa0\x80")", R"("\ufffd\ufffd\ufffd")"},  // half of a surrogate pair
    {"\xF0\x9F\x98", R"("\xf0\x9f\x98")", R"("\ufffd\ufffd\ufffd")"},  // cut short
    {"say \"x\"", R"("say \"x\"")", R"("say \"x\"")"},
    {"C:\\x", R"("C:\\x")", R"("C:\\x")"},
};

class LineTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LineTest);
    CPPUNIT_TEST(testTextLine);
    CPPUNIT_TEST(testJsonLine);
    CPPUNIT_TEST(testLevels);
    CPPUNIT_TEST(testQuotesOnlyWhereNeeded);
    CPPUNIT_TEST(testPrintableUnicodeStays);
    CPPUNIT_TEST(testHostileValues);
    CPPUNIT_TEST(testHostileMessageAndComponent);
    CPPUNIT_TEST(testFieldNames);
    CPPUNIT_TEST(testJsonKeepsItsOwnNames);
    CPPUNIT_TEST(testLongValuesAreCut);
    CPPUNIT_TEST(testCutsBetweenCharacters);
    CPPUNIT_TEST_SUITE_END();

    static void testTextLine() {
        CPPUNIT_ASSERT_EQUAL(std::string("request refused status=401 path=/a"),
                             textOf({{"status", 401}, {"path", "/a"}}, "request refused"));
    }

    static void testJsonLine() {
        CPPUNIT_ASSERT_EQUAL(std::string(R"(,"message":"request refused","status":401,"path":"/a"})"),
                             jsonOf({{"status", 401}, {"path", "/a"}}, "request refused"));
    }

    static void testLevels() {
        const auto text = [](LogLevel level) {
            return formatLine(Format::text, {someTime, level, "x", "m", {}}).substr(25);
        };
        CPPUNIT_ASSERT_EQUAL(std::string("DEBUG x: m\n"), text(LogLevel::debug));
        CPPUNIT_ASSERT_EQUAL(std::string("INFO  x: m\n"), text(LogLevel::info));
        CPPUNIT_ASSERT_EQUAL(std::string("WARN  x: m\n"), text(LogLevel::warn));
        CPPUNIT_ASSERT_EQUAL(std::string("ERROR x: m\n"), text(LogLevel::error));
        const auto json = [](LogLevel level) {
            return formatLine(Format::json, {someTime, level, "x", "m", {}}).substr(35, 15);
        };
        CPPUNIT_ASSERT_EQUAL(std::string(R"("level":"debug")"), json(LogLevel::debug));
        CPPUNIT_ASSERT_EQUAL(std::string(R"("level":"warn",)"), json(LogLevel::warn));
        CPPUNIT_ASSERT_EQUAL(std::string(R"("level":"error")"), json(LogLevel::error));
    }

    static void testQuotesOnlyWhereNeeded() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"(done empty="" space="a b" equals="a=b" plain=a/b:c)"),
            textOf({{"empty", ""}, {"space", "a b"}, {"equals", "a=b"}, {"plain", "a/b:c"}}));
    }

    static void testPrintableUnicodeStays() {
        CPPUNIT_ASSERT_EQUAL(std::string("done name=Zoë🚪"), textOf({{"name", "Zoë🚪"}}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"(,"message":"done","name":"Zoë🚪"})"), jsonOf({{"name", "Zoë🚪"}}));
    }

    static void testHostileValues() {
        for (const Hostile& value : hostile) {
            CPPUNIT_ASSERT_EQUAL("done v=" + std::string(value.text), textOf({{"v", value.sent}}));
            CPPUNIT_ASSERT_EQUAL(R"(,"message":"done","v":)" + std::string(value.json) + "}",
                                 jsonOf({{"v", value.sent}}));
        }
        const std::string withNul("a\0b", 3);
        CPPUNIT_ASSERT_EQUAL(std::string(R"(done v="a\u0000b")"), textOf({{"v", withNul}}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"(,"message":"done","v":"a\u0000b"})"), jsonOf({{"v", withNul}}));
    }

    static void testHostileMessageAndComponent() {
        CPPUNIT_ASSERT_EQUAL(std::string(R"(a\nb\u001b[m "c")"), textOf({}, "a\nb\x1b[m \"c\""));
        CPPUNIT_ASSERT_EQUAL(std::string(R"(,"message":"a\nb\u001b[m \"c\""})"),
                             jsonOf({}, "a\nb\x1b[m \"c\""));
        const std::string line = formatLine(Format::text, {someTime, LogLevel::warn, "a\nb", "m", {}});
        CPPUNIT_ASSERT_EQUAL(std::string("WARN  a\\nb: m\n"), line.substr(25));
    }

    static void testFieldNames() {
        CPPUNIT_ASSERT_EQUAL(std::string("done a_b_=1 c.d-e=2"), textOf({{"a b\n", 1}, {"c.d-e", 2}}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"(,"message":"done","a b\n":1})"), jsonOf({{"a b\n", 1}}));
    }

    static void testJsonKeepsItsOwnNames() {
        CPPUNIT_ASSERT_EQUAL(std::string(R"(,"message":"done","level_":"error","time_":1})"),
                             jsonOf({{"level", "error"}, {"time", 1}}));
    }

    static void testLongValuesAreCut() {
        const std::string exact(2048, 'x');
        CPPUNIT_ASSERT_EQUAL("done v=" + exact, textOf({{"v", exact}}));
        const std::string longer(100'000, 'x');
        CPPUNIT_ASSERT_EQUAL("done v=\"" + exact + "… (100000 bytes)\"", textOf({{"v", longer}}));
        CPPUNIT_ASSERT_EQUAL(",\"message\":\"done\",\"v\":\"" + exact + "… (100000 bytes)\"}",
                             jsonOf({{"v", longer}}));
        CPPUNIT_ASSERT_EQUAL(exact + "… (100000 bytes)", textOf({}, longer));
    }

    static void testCutsBetweenCharacters() {
        const std::string head(2046, 'x');
        CPPUNIT_ASSERT_EQUAL("done v=\"" + head + "… (2052 bytes)\"", textOf({{"v", head + "🚪yy"}}));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LineTest);

}  // namespace
}  // namespace sallyport::host::log
