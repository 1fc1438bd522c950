#include "host/cli/command_line.h"

#include <ostream>
#include <streambuf>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/unit/cli/program.h"
#include "tests/unit/client/scripted_door.h"

namespace sallyport::host::cli {

using namespace client;  // the scripted door

namespace {

/// A disk that is full.
class FullBuffer : public std::streambuf {
protected:
    int_type overflow(int_type /*c*/) override { return traits_type::eof(); }
};

}  // namespace

class CommandLineTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CommandLineTest);
    CPPUNIT_TEST(testHelpsOnStandardOutput);
    CPPUNIT_TEST(testTellsItsVersion);
    CPPUNIT_TEST(testRefusesWrongUsage);
    CPPUNIT_TEST(testTakesNoTokenAsAnArgument);
    CPPUNIT_TEST(testEscapesWhatItComplainsAbout);
    CPPUNIT_TEST(testTakesGlobalOptionsAnywhere);
    CPPUNIT_TEST(testSaysWhenThereIsNoDaemon);
    CPPUNIT_TEST(testPassesOnWhatTheDaemonRefused);
    CPPUNIT_TEST(testColoursATerminalOnly);
    CPPUNIT_TEST(testFailsWhenTheResultCannotBeWritten);
    CPPUNIT_TEST_SUITE_END();

    static bool has(const std::string& text, const std::string& part) {
        return text.find(part) != std::string::npos;
    }

    static Program program(const ScriptedDoor& door) {
        return {.environment = {{"SALLYPORT_URL", door.url()}, {"SALLYPORT_TOKEN", "t"}, {"TERM", "xterm"}},
                .input = {}};
    }

    void testHelpsOnStandardOutput() {
        Program program;
        CPPUNIT_ASSERT_EQUAL(0, program.run({"--help"}));
        CPPUNIT_ASSERT(has(program.out, "Examples:") && has(program.out, "Exit codes:"));
        CPPUNIT_ASSERT(program.err.empty());
        for (const std::vector<std::string>& command : {std::vector<std::string>{"job"},
                                                        {"job", "create"},
                                                        {"job", "list"},
                                                        {"job", "show"},
                                                        {"job", "watch"},
                                                        {"job", "prompt"},
                                                        {"job", "cancel"},
                                                        {"job", "restart"},
                                                        {"plugin", "list"},
                                                        {"plugin", "reload"},
                                                        {"plugin", "verify"},
                                                        {"status"},
                                                        {"token", "create"},
                                                        {"token", "list"},
                                                        {"token", "revoke"}}) {
            std::vector<std::string> arguments = command;
            arguments.emplace_back("--help");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(command.back(), 0, program.run(arguments));
            CPPUNIT_ASSERT_MESSAGE(command.back(), has(program.out, "Usage: sallyport " + command.front()));
        }
    }

    void testTellsItsVersion() {
        Program program;
        CPPUNIT_ASSERT_EQUAL(0, program.run({"--version"}));
        CPPUNIT_ASSERT(program.out.starts_with("sallyport "));
    }

    void testRefusesWrongUsage() {
        const std::vector<std::vector<std::string>> wrong{
            {},
            {"job"},
            {"nonsense"},
            {"job", "nonsense"},
            {"job", "show"},
            {"job", "show", "a", "b"},
            {"job", "list", "--limit", "0"},
            {"job", "list", "--limit", "x"},
            {"job", "list", "--all", "--limit", "3"},
            {"job", "watch", "x", "--since", "-1"},
            {"job", "create"},
            {"job", "create", "a", "--file", "b"},
            {"job", "create", "  \n"},
            {"job", "create", "not \xFF utf-8"},
            {"job", "create", "task", "--title", ""},
            {"job", "create", "task", "--grant", "SECRET"},
            {"job", "create", "task", "--grant", "=VAR"},
            {"job", "create", "task", "--grant", "secret="},
            {"job", "create", "--file", "/nonexistent/task"},
            {"job", "create", "--file", "/"},
            {"job", "prompt", "3f2b8c1e-0000-4000-8000-000000000000"},
            {"job", "prompt", "3f2b8c1e-0000-4000-8000-000000000000", ""},
            {"status", "--color", "sometimes"},
            {"status", "--timeout", "0"},
            {"status", "--timeout", "soon"},
            {"status", "--url", "nonsense"},
            {"token", "create"},
            {"token", "create", ""},
            {"token", "revoke"},
        };
        for (const std::vector<std::string>& arguments : wrong) {
            Program program{.environment = {{"SALLYPORT_TOKEN", "t"}}, .input = {}};
            const std::string name = arguments.empty() ? "nothing" : arguments.back();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, 2, program.run(arguments));
            CPPUNIT_ASSERT_MESSAGE(name, program.out.empty());
            CPPUNIT_ASSERT_MESSAGE(name, program.err.starts_with("sallyport: "));
        }
    }

    void testTakesNoTokenAsAnArgument() {
        Program program;
        CPPUNIT_ASSERT_EQUAL(2, program.run({"--token", "secret", "status"}));
    }

    void testEscapesWhatItComplainsAbout() {
        Program program;
        CPPUNIT_ASSERT_EQUAL(2, program.run({"status", "\x1b[2J"}));
        CPPUNIT_ASSERT(!has(program.err, "\x1b"));
        CPPUNIT_ASSERT_EQUAL(3, program.run({"status", "--data-dir", "/no\x1b[2J"}));
        CPPUNIT_ASSERT(!has(program.err, "\x1b"));
    }

    void testTakesGlobalOptionsAnywhere() {
        const ScriptedDoor door(canned({{"GET /api/tokens", R"({"tokens":[]})"}}));
        Program program{.environment = {{"SALLYPORT_TOKEN", "t"}}, .input = {}};
        CPPUNIT_ASSERT_EQUAL(0, program.run({"--json", "--url", door.url(), "token", "list"}));
        CPPUNIT_ASSERT_EQUAL(std::string("{\"tokens\":[]}\n"), program.out);
        CPPUNIT_ASSERT_EQUAL(0, program.run({"token", "list", "--json", "--url", door.url()}));
        CPPUNIT_ASSERT_EQUAL(std::string("{\"tokens\":[]}\n"), program.out);
    }

    void testSaysWhenThereIsNoDaemon() {
        Program program;
        CPPUNIT_ASSERT_EQUAL(3, program.run({"status", "--data-dir", "/nonexistent"}));
        CPPUNIT_ASSERT(program.out.empty());
        CPPUNIT_ASSERT(has(program.err, "/nonexistent/operator.address"));
        CPPUNIT_ASSERT(has(program.err, "--data-dir"));
    }

    void testPassesOnWhatTheDaemonRefused() {
        const ScriptedDoor door([](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            answer(socket, 403, R"({"error":{"code":"forbidden","message":"No,\u001b[31m not you."}})");
        });
        Program refused = program(door);
        CPPUNIT_ASSERT_EQUAL(1, refused.run({"plugin", "list"}));
        CPPUNIT_ASSERT_EQUAL(std::string("sallyport: No,\\x1b[31m not you. (forbidden, HTTP 403)\n"),
                             refused.err);
        CPPUNIT_ASSERT(refused.out.empty());
    }

    void testColoursATerminalOnly() {
        const ScriptedDoor door(canned({{"GET /api/tokens", R"({"tokens":[]})"}}));
        const auto coloured = [&](bool onTerminal, std::vector<std::string> options,
                                  const std::string& noColor = {}, const std::string& term = "xterm") {
            Program listing = program(door);
            listing.onTerminal = onTerminal;
            listing.environment["TERM"] = term;
            if (!noColor.empty()) {
                listing.environment["NO_COLOR"] = noColor;
            }
            options.insert(options.end(), {"token", "list"});
            CPPUNIT_ASSERT_EQUAL(0, listing.run(options));
            return has(listing.out, "\x1b[");
        };
        CPPUNIT_ASSERT(coloured(true, {}));
        CPPUNIT_ASSERT(!coloured(false, {}));
        CPPUNIT_ASSERT(!coloured(true, {}, "1"));
        CPPUNIT_ASSERT(!coloured(true, {}, "", "dumb"));
        CPPUNIT_ASSERT(coloured(true, {"--color", "always"}, "1"));
        CPPUNIT_ASSERT(coloured(false, {"--color", "always"}));
        CPPUNIT_ASSERT(!coloured(true, {"--color", "never"}));
    }

    void testFailsWhenTheResultCannotBeWritten() {
        const ScriptedDoor door(canned({{"GET /api/tokens", R"({"tokens":[]})"}}));
        std::istringstream in;
        FullBuffer full;
        std::ostream out(&full);
        std::ostringstream err;
        const int code =
            run({.arguments = {"token", "list", "--url", door.url()},
                 .environment = [](const char* name) -> std::optional<std::string> {
                     return std::string(name) == "SALLYPORT_TOKEN" ? std::optional("t") : std::nullopt;
                 },
                 .in = in,
                 .out = out,
                 .err = err});
        CPPUNIT_ASSERT_EQUAL(1, code);
        CPPUNIT_ASSERT(has(err.str(), "cannot write"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CommandLineTest);

}  // namespace sallyport::host::cli
