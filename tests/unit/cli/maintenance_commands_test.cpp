#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/file_descriptor.h>

#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/cli/program.h"

namespace sallyport::host::cli {

namespace fs = std::filesystem;
using tests::readFile;
using tests::writeFile;

/// The commands that the daemon's program does, which is a script here: what it is asked, and what becomes of
/// its answers.
class MaintenanceCommandsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MaintenanceCommandsTest);
    CPPUNIT_TEST(testAsksForALookOver);
    CPPUNIT_TEST(testAsksForABackup);
    CPPUNIT_TEST(testAsksForARestore);
    CPPUNIT_TEST(testAsksForPluginsToBeVerified);
    CPPUNIT_TEST(testAsksNothingOfADaemonElsewhere);
    CPPUNIT_TEST(testShowsTheReport);
    CPPUNIT_TEST(testShowsTheBackup);
    CPPUNIT_TEST(testShowsThatItWasStopped);
    CPPUNIT_TEST(testShowsWhatWasRestored);
    CPPUNIT_TEST(testShowsThePlugins);
    CPPUNIT_TEST(testListsSums);
    CPPUNIT_TEST(testPrintsTheDocumentAsItIs);
    CPPUNIT_TEST(testFailsAsTheOtherProgramDid);
    CPPUNIT_TEST(testRefusesAnotherVersion);
    CPPUNIT_TEST(testSaysWhenThereIsNoResult);
    CPPUNIT_TEST(testSaysWhenItCannotBeRun);
    CPPUNIT_TEST(testSaysWhereItLooked);
    CPPUNIT_TEST(testTakesTheFirstThatIsThere);
    CPPUNIT_TEST(testLeavesCtrlCToTheCommandLine);
    CPPUNIT_TEST(testKeepsItsDescriptorsToItself);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        program_.environment = {{"SALLYPORT_DAEMON", daemon().string()}};
        answer(R"({"failures":0,"warnings":0,"checks":[]})");
    }

    void testAsksForALookOver() {
        program_.environment["SALLYPORT_CONFIG"] = "/etc/s.properties";
        CPPUNIT_ASSERT_EQUAL(0, program_.run({"doctor", "--offline", "-D", "a=b", "-D", "c=d=e f",
                                              "--token-file", "t", "--data-dir", "/data"}));
        CPPUNIT_ASSERT_EQUAL(asked("doctor") +
                                 "--config=/etc/s.properties\n--define=a=b\n--define=c=d=e f\n"
                                 "--define=data.dir=/data\n--token-file=t\n--offline\n",
                             arguments());
    }

    void testAsksForABackup() {
        CPPUNIT_ASSERT_EQUAL(
            0, program_.run({"--config", "/c", "--data-dir", "/data", "backup", "--force", "-- a file"}));
        CPPUNIT_ASSERT_EQUAL(asked("backup") + "--data-dir=/data\n--file=-- a file\n--config=/c\n--force\n",
                             arguments());
    }

    void testAsksForARestore() {
        CPPUNIT_ASSERT_EQUAL(0, program_.run({"--config", "/c", "--data-dir", "/data", "restore", "b.db"}));
        CPPUNIT_ASSERT_EQUAL(asked("restore") + "--data-dir=/data\n--file=b.db\n--config=/c\n", arguments());
    }

    void testAsksForPluginsToBeVerified() {
        CPPUNIT_ASSERT_EQUAL(
            0, program_.run({"--config", "/c", "plugin", "verify", "--data-dir", "/d", "a.so", "b.so"}));
        CPPUNIT_ASSERT_EQUAL(asked("verify") + "--config=/c\n--data-dir=/d\n--file=a.so\n--file=b.so\n",
                             arguments());
        CPPUNIT_ASSERT_EQUAL(0, program_.run({"--config", "/c", "plugin", "verify", "--sums"}));
        CPPUNIT_ASSERT_EQUAL(asked("verify") + "--config=/c\n--unlisted\n", arguments());
    }

    void testAsksNothingOfADaemonElsewhere() {
        CPPUNIT_ASSERT_EQUAL(2, program_.run({"--url", "http://127.0.0.1:1", "doctor"}));
        CPPUNIT_ASSERT(!fs::exists(here_ / "arguments"));
    }

    void testShowsTheReport() {
        answer(R"({"failures":1,"warnings":2,"checks":[)"
               R"({"check":"disk","status":"ok","message":"room"},)"
               R"({"check":"a door","status":"warning","message":"ajar"},)"
               R"({"check":"keys","status":"failed","message":"lost\nfound"}]})",
               1);
        CPPUNIT_ASSERT_EQUAL(1, program_.run({"doctor"}));
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "ok       disk    room\nwarning  a door  ajar\nFAILED   keys    lost\\nfound\n\n1 failure, "
                "2 warnings.\n"),
            program_.out);
        answer(R"({"failures":0,"warnings":0,"checks":[{"check":"disk","status":"ok","message":"room"}]})");
        CPPUNIT_ASSERT_EQUAL(0, program_.run({"doctor"}));
        CPPUNIT_ASSERT_EQUAL(std::string("ok       disk  room\n"), program_.out);
    }

    void testShowsTheBackup() {
        const std::string document = R"({"file":"/x/b.db","size":7,"master_key_included":false,)"
                                     R"("schema":{"jobs":3,"llm":1},"rows":{"jobs":4,"events":38}})";
        answer(document, 0, R"({"size":"7 B","master_key_file":"/d/credentials.key"})");
        CPPUNIT_ASSERT_EQUAL(0, program_.run({"backup", "b.db"}));
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "backup  b.db, 7 B, checked\nholds   42 rows in 2 tables\nschema  jobs 3, llm 1\n\n"
                "The master key is not in it. It is in /d/credentials.key: keep a copy, apart from the "
                "backups.\n"
                "Without it the secrets in the backup are lost; with it, whoever has both can read them.\n"),
            program_.out);
        answer(document, 0, R"({"size":"7 B","master_key_file":null})");
        CPPUNIT_ASSERT_EQUAL(0, program_.run({"backup", "b.db"}));
        ASSERT_CONTAINS("It is where you keep it for the daemon: keep a copy", program_.out);
    }

    void testShowsThatItWasStopped() {
        script(R"(echo '{"version":")" SALLYPORT_VERSION R"(","exit_code":130}'; exit 130)");
        CPPUNIT_ASSERT_EQUAL(130, program_.run({"backup", "b.db"}));
        CPPUNIT_ASSERT_EQUAL(std::string("Stopped; there is no backup.\n"), program_.err);
        CPPUNIT_ASSERT(program_.out.empty());
    }

    void testShowsWhatWasRestored() {
        answer(
            R"({"database":"/d/sallyport.db","former":"/d/former-1","key_trouble":"no key: put one there",)"
            R"("schema":{"jobs":3},"rows":{"jobs":4}})");
        CPPUNIT_ASSERT_EQUAL(0, program_.run({"restore", "b.db"}));
        for (const std::string part :
             {"restored  /d/sallyport.db\nholds     4 rows in 1 tables\nschema    jobs 3; what is older",
              "former    /d/former-1/; delete it", "\n\nMind: no key: put one there\nUntil then no secret",
              "Start the daemon: systemctl start sallyport.",
              "To undo this, restore /d/former-1/sallyport.db"}) {
            ASSERT_CONTAINS(part, program_.out);
        }
        answer(R"({"database":"/d/sallyport.db","former":null,"key_trouble":null,"schema":{},"rows":{}})");
        CPPUNIT_ASSERT_EQUAL(0, program_.run({"restore", "b.db"}));
        for (const std::string part : {"Mind:", "former", "undo"}) {
            ASSERT_LACKS(part, program_.out);
        }
    }

    void testShowsThePlugins() {
        answer(plugins, 1, R"({"untrusted":true})");
        CPPUNIT_ASSERT_EQUAL(1, program_.run({"plugin", "verify", "a.so"}));
        const std::string table =
            "NAME  VERSION  STATE     FILE\na     1.0      good      /p/a.so\nb     2.0      disabled  "
            "/p/b.so\n               refused   /p/c\\.so\n/p/c\\.so: not yours\n/p/c\\.so: no plugin\n";
        CPPUNIT_ASSERT_EQUAL(table +
                                 "\nWhose a file is counts where it lies. Put into the daemon's folder by "
                                 "root, as `sudo cmake --install` does,\nit is root's, and nobody else may "
                                 "write to it.\n",
                             program_.out);
        // Where it lies is where it is to lie.
        CPPUNIT_ASSERT_EQUAL(1, program_.run({"plugin", "verify"}));
        CPPUNIT_ASSERT_EQUAL(table, program_.out);
    }

    void testListsSums() {
        answer(plugins, 1, R"({"untrusted":false})");
        CPPUNIT_ASSERT_EQUAL(1, program_.run({"plugin", "verify", "--sums"}));
        CPPUNIT_ASSERT_EQUAL(std::string("5a  /p/a.so\n"), program_.out);
        CPPUNIT_ASSERT_EQUAL(std::string("/p/c\\.so: not yours; no plugin\n"), program_.err);
        answer(R"({"plugins":[{"file":"/p/c\\.so","sha256":"5c","state":"good","problems":[]}]})");
        CPPUNIT_ASSERT_EQUAL(0, program_.run({"plugin", "verify", "--sums"}));
        CPPUNIT_ASSERT_EQUAL(std::string("\\5c  /p/c\\\\.so\n"), program_.out);
    }

    void testPrintsTheDocumentAsItIs() {
        const std::string document = R"({"failures": 1e0,"checks":[],"more":{"x":[null]}})";
        answer(document, 1);
        for (const std::vector<std::string>& words :
             {std::vector<std::string>{"doctor"}, {"backup", "f"}, {"restore", "f"}, {"plugin", "verify"}}) {
            std::vector<std::string> all{"--json"};
            all.insert(all.end(), words.begin(), words.end());
            CPPUNIT_ASSERT_EQUAL(1, program_.run(all));
            CPPUNIT_ASSERT_EQUAL(document + "\n", program_.out);
        }
    }

    void testFailsAsTheOtherProgramDid() {
        script(
            R"(echo '{"version":")" SALLYPORT_VERSION
            R"(","exit_code":2,"error":{"message":"f is a directory","hints":["Name the file.","Or not."]}}')");
        CPPUNIT_ASSERT_EQUAL(2, program_.run({"backup", "f"}));
        CPPUNIT_ASSERT_EQUAL(std::string("sallyport: f is a directory\n  Name the file.\n  Or not.\n"),
                             program_.err);
    }

    void testRefusesAnotherVersion() {
        script(R"(echo '{"version":"0.0.1","exit_code":0,"document":{"failures":0}}')");
        CPPUNIT_ASSERT_EQUAL(1, program_.run({"doctor"}));
        ASSERT_CONTAINS("sallyport is version " SALLYPORT_VERSION ", and " + daemon().string() +
                            " version 0.0.1: they work together only if that is the same",
                        program_.err);
        ASSERT_CONTAINS("SALLYPORT_DAEMON", program_.err);
        CPPUNIT_ASSERT(program_.out.empty());
    }

    void testSaysWhenThereIsNoResult() {
        for (const auto& [commands, how] :
             std::vector<std::pair<std::string, std::string>>{{"exit 64", " ended with status 64, "},
                                                              {"echo fine", " ended with status 0, "},
                                                              {"kill -SEGV $$", " ended by signal 11 ("}}) {
            script(commands);
            CPPUNIT_ASSERT_EQUAL(1, program_.run({"doctor"}));
            ASSERT_CONTAINS(daemon().string() + how, program_.err);
            ASSERT_CONTAINS("Is it a sallyportd of version " SALLYPORT_VERSION "?", program_.err);
        }
    }

    void testSaysWhenItCannotBeRun() {
        program_.environment["SALLYPORT_DAEMON"] = (here_ / "nothing").string();
        CPPUNIT_ASSERT_EQUAL(1, program_.run({"doctor"}));
        ASSERT_CONTAINS("cannot run " + (here_ / "nothing").string() + ": No such file or directory",
                        program_.err);
        ASSERT_CONTAINS("SALLYPORT_DAEMON", program_.err);
    }

    void testSaysWhereItLooked() {
        program_.environment = {{"PATH", "/no/bin:" + here_.path().string()}};
        program_.installation.daemons = {"/no/bin/sallyportd", "/no/sbin/sallyportd"};
        writeFile(here_ / "sallyportd", "not to be run");
        CPPUNIT_ASSERT_EQUAL(1, program_.run({"doctor"}));
        ASSERT_CONTAINS("cannot find sallyportd", program_.err);
        ASSERT_CONTAINS("Looked for /no/bin/sallyportd, /no/sbin/sallyportd, and in PATH (/no/bin:" +
                            here_.path().string() + ").",
                        program_.err);
        ASSERT_CONTAINS("Install the package sallyport", program_.err);
    }

    void testTakesTheFirstThatIsThere() {
        const fs::path first = here_ / "first";
        const fs::path second = here_ / "second";
        program_.environment = {{"PATH", "::/no/bin:" + second.string()}};
        program_.installation.daemons = {here_ / "none", first / "sallyportd"};
        for (const fs::path& folder : {second, first}) {
            fs::create_directory(folder);
            script("echo " + folder.string() + " >" + (here_ / "which").string() + "; exit 1");
            fs::rename(daemon(), folder / "sallyportd");
            CPPUNIT_ASSERT_EQUAL(1, program_.run({"doctor"}));
            CPPUNIT_ASSERT_EQUAL(folder.string() + "\n", readFile(here_ / "which"));
        }
    }

    /// Who was asked to stop passes that on in a way of its own.
    void testLeavesCtrlCToTheCommandLine() {
        script("kill -INT $$; exit 4");
        CPPUNIT_ASSERT_EQUAL(1, program_.run({"doctor"}));
        ASSERT_CONTAINS("with status 4", program_.err);
    }

    void testKeepsItsDescriptorsToItself() {
        const FileDescriptor open(::open("/dev/null", O_RDONLY));
        script("[ -e /proc/$$/fd/" + std::to_string(open.get()) + " ] && exit 3; exit 4");
        CPPUNIT_ASSERT_EQUAL(1, program_.run({"doctor"}));
        ASSERT_CONTAINS("with status 4", program_.err);
    }

private:
    static constexpr const char* plugins =
        R"({"plugins":[{"file":"/p/a.so","name":"a","version":"1.0","sha256":"5a","state":"good","problems":[]},)"
        R"({"file":"/p/b.so","name":"b","version":"2.0","sha256":"5b","state":"disabled","problems":[]},)"
        R"({"file":"/p/c\\.so","name":null,"version":null,"sha256":null,"state":"refused",)"
        R"("problems":["not yours","no plugin"]}]})";

    [[nodiscard]] fs::path daemon() const { return here_ / "sallyportd-script"; }

    /// What the daemon's program is from now on.
    void script(const std::string& commands) const {
        writeFile(daemon(), "#!/bin/sh\nprintf '%s\\n' \"$@\" >" + (here_ / "arguments").string() + "\n" +
                                commands + "\n");
        fs::permissions(daemon(), fs::perms::owner_all);
    }

    void answer(const std::string& document, int code = 0, const std::string& notes = "{}") const {
        script("cat <<'END'\n{\"version\":\"" SALLYPORT_VERSION "\",\"exit_code\":" + std::to_string(code) +
               ",\"document\":" + document + ",\"notes\":" + notes + "}\nEND\nexit " + std::to_string(code));
    }

    [[nodiscard]] std::string arguments() const { return readFile(here_ / "arguments"); }
    static std::string asked(const std::string& task) {
        return "--maintain\n" + task + "\n--for=" SALLYPORT_VERSION "\n";
    }

    tests::TemporaryDirectory here_;
    Program program_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(MaintenanceCommandsTest);

}  // namespace sallyport::host::cli
