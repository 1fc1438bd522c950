#include "host/cli/table.h"

#include <sstream>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::cli {

class TableTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TableTest);
    CPPUNIT_TEST(testAlignsByDisplayWidth);
    CPPUNIT_TEST(testIsCutOnATerminalOnly);
    CPPUNIT_TEST(testCapsColumnsOnATerminal);
    CPPUNIT_TEST(testEscapesCells);
    CPPUNIT_TEST(testColoursOnlyWhenAsked);
    CPPUNIT_TEST(testAlignsFields);
    CPPUNIT_TEST(testCutsALineAcrossItsSpans);
    CPPUNIT_TEST(testPrintsJsonByteForByteUnlessAPersonReads);
    CPPUNIT_TEST_SUITE_END();

    static std::string printed(const Table& table, Terminal::Options options) {
        std::ostringstream stream;
        Terminal terminal(stream, options);
        table.print(terminal);
        return stream.str();
    }

    void testAlignsByDisplayWidth() {
        Table table({"NAME", "N"});
        table.row({{"日本語"}, {"1"}});
        table.row({{"é"}, {"2"}});
        CPPUNIT_ASSERT_EQUAL(std::string("NAME    N\n"
                                         "日本語  1\n"
                                         "é       2\n"),
                             printed(table, {}));
    }

    void testIsCutOnATerminalOnly() {
        Table table({"ID", "TITLE"});
        table.row({{"1"}, {"a rather long title"}});
        CPPUNIT_ASSERT_EQUAL(std::string("ID  TITLE\n1   a rathe…\n"), printed(table, {.columns = 12}));
        CPPUNIT_ASSERT_EQUAL(std::string("ID  TITLE\n1   a rather long title\n"), printed(table, {}));
    }

    void testCapsColumnsOnATerminal() {
        Table table({"USER", "TITLE"});
        table.row({{std::string(100, 'u')}, {"t"}});
        CPPUNIT_ASSERT_EQUAL("USER" + std::string(34, ' ') + "TITLE\n" + std::string(35, 'u') + "…  t\n",
                             printed(table, {.columns = 80}));
        CPPUNIT_ASSERT_EQUAL("USER" + std::string(98, ' ') + "TITLE\n" + std::string(100, 'u') + "  t\n",
                             printed(table, {}));
    }

    void testEscapesCells() {
        Table table({"A", "B"});
        table.row({{"\x1b[2J"}, {"two\nlines"}});
        CPPUNIT_ASSERT_EQUAL(std::string("A        B\n\\x1b[2J  two\\nlines\n"), printed(table, {}));
    }

    void testColoursOnlyWhenAsked() {
        Table table({"A"});
        table.row({{"good", Style::green}});
        CPPUNIT_ASSERT_EQUAL(std::string("A\ngood\n"), printed(table, {}));
        CPPUNIT_ASSERT_EQUAL(std::string("\x1b[1mA\x1b[0m\n\x1b[32mgood\x1b[0m\n"),
                             printed(table, {.colour = true}));
    }

    void testAlignsFields() {
        Fields fields;
        fields.add("job", {"1"});
        fields.add("worker URL", {"a\nb"});
        std::ostringstream stream;
        Terminal terminal(stream, {});
        fields.print(terminal);
        CPPUNIT_ASSERT_EQUAL(std::string("job         1\nworker URL  a\\nb\n"), stream.str());
    }

    void testCutsALineAcrossItsSpans() {
        std::ostringstream stream;
        Terminal terminal(stream, {.columns = 6});
        terminal.fittedLine({{"abc"}, {"defgh"}, {"ij"}});
        terminal.fittedLine({{"abc"}, {"defgh"}, {"ij"}}, 2);
        terminal.line({{"abc"}, {"defgh"}, {"ij"}});
        CPPUNIT_ASSERT_EQUAL(std::string("abcde…\nabcdefghij\nabcdefghij\n"), stream.str());
    }

    void testPrintsJsonByteForByteUnlessAPersonReads() {
        const std::string document = "{\"a\":\"\u009B\"}";
        std::ostringstream piped;
        Terminal(piped, {}).json(document + "\n");
        CPPUNIT_ASSERT_EQUAL(document + "\n", piped.str());
        std::ostringstream shown;
        Terminal(shown, {.interactive = true}).json(document);
        CPPUNIT_ASSERT_EQUAL(std::string("{\"a\":\"\\u009b\"}\n"), shown.str());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TableTest);

}  // namespace sallyport::host::cli
