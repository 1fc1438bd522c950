// CONTRACT §7: whose plugins and whose configuration the daemon believes, and how one finds out before it
// does.
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/plugin.h>

#include "tests/contract/plugin_files.h"
#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/process.h"

namespace sallyport::tests {

class PluginTrustTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginTrustTest);
    CPPUNIT_TEST(testConfigurationThatOthersMayWriteStopsTheStart);
    CPPUNIT_TEST(testConfigurationOfAStrangerStopsTheStart);
    CPPUNIT_TEST(testConfigurationThatOthersMayWriteIsNotReloaded);
    CPPUNIT_TEST(testConfigurationIsCheckedForTheDaemonsUser);
    CPPUNIT_TEST(testDataDirectoryThatOthersMayWriteStopsTheStart);
    CPPUNIT_TEST(testPluginsOnAWayThatOthersMayWriteAreRefused);
    CPPUNIT_TEST(testPluginsOfADirectoryThatIsNoLongerTrustedGoOn);
    CPPUNIT_TEST(testWrongAbiIsRefusedBeforeItsCodeRuns);
    CPPUNIT_TEST(testCheckingTheConfigurationRunsTrustedPluginsAlone);
    CPPUNIT_TEST(testOnlyListedPluginsAreLoaded);
    CPPUNIT_TEST(testListIsReadAgain);
    CPPUNIT_TEST(testChangedPluginMustBeListed);
    CPPUNIT_TEST(testListThatCannotBeStopsTheStart);
    CPPUNIT_TEST(testListThatCannotBeIsNotReloaded);
    CPPUNIT_TEST(testSumsAreShown);
    CPPUNIT_TEST(testVerifyNeedsNoDaemonAndRunsNothing);
    CPPUNIT_TEST(testVerifyFindsWhatIsWrong);
    CPPUNIT_TEST(testVerifyTakesTheConfiguration);
    CPPUNIT_TEST(testVerifyMakesTheList);
    CPPUNIT_TEST(testVerifySaysWhatTheDaemonCannotRead);
    CPPUNIT_TEST(testWhoMayReplaceTheProgramIsTrusted);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override { plugins_.emplace(); }

    void tearDown() override {
        daemon_.reset();
        plugins_.reset();
    }

    void testConfigurationThatOthersMayWriteStopsTheStart() {
        for (const mode_t mode : {0664, 0646}) {
            const Finished refused = startWith(configuration("", mode));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 78, refused.status);
            ASSERT_CONTAINS("chmod go-w " + file().string(), refused.errors);
        }
        configuration("", 0644);
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(directory_.path().c_str(), 0777));
        const Finished refused = startWith(file());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 78, refused.status);
        ASSERT_CONTAINS("chmod go-w " + directory_.path().string(), refused.errors);
    }

    void testConfigurationOfAStrangerStopsTheStart() {
        if (::chown(configuration("", 0644).c_str(), stranger, stranger) != 0) {
            return;  // only root can give files away
        }
        const Finished refused = startWith(file());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 78, refused.status);
        ASSERT_CONTAINS("chown root " + file().string(), refused.errors);
    }

    void testConfigurationThatOthersMayWriteIsNotReloaded() {
        start({});
        const auto properties = daemon_->directory() / "sallyport.properties";
        writeFile(properties, "plugins.disabled = prompts\n");
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(properties.c_str(), 0666));
        daemon_->reload();
        ASSERT_CONTAINS("chmod go-w " + properties.string(), daemon_->log());
        ASSERT_STATUS(204, workerClient(*daemon_, createJob(*daemon_)).get("/prompt"));
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(properties.c_str(), 0644));
        daemon_->reload();
        ASSERT_REFUSED(404, workerClient(*daemon_, createJob(*daemon_)).get("/prompt"));
    }

    /// Root asks; who will be believed is whom the data belongs to.
    void testConfigurationIsCheckedForTheDaemonsUser() {
        std::filesystem::create_directory(data());
        configuration("plugins.dir = " SALLYPORT_PLUGIN_PATH "\n", 0644);
        if (::chown(file().c_str(), stranger, stranger) != 0) {
            return;  // only root can give files away
        }
        const Finished refused = check();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 78, refused.status);
        CPPUNIT_ASSERT_EQUAL(0, ::chown(data().c_str(), stranger, stranger));
        const Finished good = check();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(good.describe(), 0, good.status);
    }

    /// What is run are copies in it.
    void testDataDirectoryThatOthersMayWriteStopsTheStart() {
        std::filesystem::create_directory(data());
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(data().c_str(), 0775));
        const Finished refused = startWith(configuration("plugins.dir = " SALLYPORT_PLUGIN_PATH "\n", 0644));
        CPPUNIT_ASSERT_MESSAGE(refused.describe(), refused.status > 0 && refused.status < 128);
        ASSERT_CONTAINS("chmod go-w " + data().string(), refused.errors);
    }

    void testPluginsOnAWayThatOthersMayWriteAreRefused() {
        const auto open = *plugins_ / "open";
        std::filesystem::create_directories(open / "closed");
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(open.c_str(), 0777));
        std::filesystem::copy_file(PluginFiles::built("greeter_1"), open / "closed/greeter.so");
        std::filesystem::create_symlink(open / "closed/greeter.so", *plugins_ / "link.so");
        plugins_->install("keeper_1");
        start({{"plugins.dir", std::string(SALLYPORT_PLUGIN_PATH)
                                   .append(":")
                                   .append(plugins_->path())
                                   .append(":")
                                   .append(open / "closed")}});
        ASSERT_REFUSED(404, admin().get("/greeting"));
        ASSERT_STATUS(204, admin().get("/kept"));
        for (const auto& refused : {*plugins_ / "link.so", open / "closed"}) {
            ASSERT_CONTAINS("chmod go-w " + open.string(), errorOf(refused.string()));
        }
    }

    /// What runs are private copies that were trusted when they were made; and nobody's mistake with `chmod`
    /// shall end a service.
    void testPluginsOfADirectoryThatIsNoLongerTrustedGoOn() {
        plugins_->install("greeter_1", "greeter");
        start({});
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(plugins_->path().c_str(), 0777));
        const Response response = reload();
        ASSERT_FIELD(plugins_->path().string(), response, "refused.0.file");
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        std::filesystem::remove(*plugins_ / "greeter.so");
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(plugins_->path().c_str(), 0700));
        ASSERT_FIELD("greeter", reload(), "unloaded.0");
    }

    void testWrongAbiIsRefusedBeforeItsCodeRuns() {
        plugins_->install("marks_loading_of_other_abi");
        start({});
        ASSERT_CONTAINS("ABI", errorOf((*plugins_ / "marks_loading_of_other_abi.so").string()));
        CPPUNIT_ASSERT(!std::filesystem::exists(mark()));
        plugins_->install("marks_loading", "marks_loading_of_other_abi");
        ASSERT_FIELD("marks_loading", reload(), "loaded.0");
        CPPUNIT_ASSERT(std::filesystem::exists(mark()));
    }

    /// Code is run for it, as far as it would be loaded.
    void testCheckingTheConfigurationRunsTrustedPluginsAlone() {
        plugins_->install("marks_loading");
        const std::string where = "plugins.dir = " + plugins_->path().string() + "\n";
        configuration(where + "marks_loading.depth = 10\n", 0644);
        const Finished bad = check();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(bad.describe(), 78, bad.status);
        ASSERT_CONTAINS("from 1 to 9", bad.errors);
        writeFile(list(), sumOf("greeter_1") + "  greeter\n");
        configuration(where + "plugins.trusted = " + list().string() + "\n", 0644);
        ASSERT_CONTAINS("is not in", check().errors);
        configuration(where + "plugins.disabled = marks_loading\n", 0644);
        CPPUNIT_ASSERT_EQUAL(0, check().status);
        configuration(where, 0644);
        CPPUNIT_ASSERT_EQUAL(0, ::chmod((*plugins_ / "marks_loading.so").c_str(), 0666));
        ASSERT_CONTAINS("others may write to", check().errors);
        CPPUNIT_ASSERT(!std::filesystem::exists(mark()));
        CPPUNIT_ASSERT_EQUAL(0, ::chmod((*plugins_ / "marks_loading.so").c_str(), 0644));
        configuration(where + "marks_loading.dept = 5\n", 0644);
        ASSERT_CONTAINS("did you mean marks_loading.depth?", check().errors);
        CPPUNIT_ASSERT(std::filesystem::exists(mark()));
    }

    void testOnlyListedPluginsAreLoaded() {
        plugins_->install("greeter_1", "greeter");
        plugins_->install("marks_loading");
        listHouse();
        append(sumOf("greeter_1"));
        startListed();
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        ASSERT_STATUS(204, workerClient(*daemon_, createJob(*daemon_)).get("/prompt"));
        const std::string error = errorOf((*plugins_ / "marks_loading.so").string());
        ASSERT_CONTAINS(sumOf("marks_loading"), error);
        ASSERT_CONTAINS(list().string(), error);
        CPPUNIT_ASSERT(!std::filesystem::exists(mark()));
    }

    void testListIsReadAgain() {
        plugins_->install("greeter_1", "greeter");
        listHouse();
        startListed();
        ASSERT_REFUSED(404, admin().get("/greeting"));
        append(sumOf("greeter_1"));
        ASSERT_FIELD("greeter", reload(), "loaded.0");
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        listHouse();
        const Response revoked = reload();
        ASSERT_FIELD("greeter", revoked, "unloaded.0");
        ASSERT_CONTAINS("is not in", revoked.at("refused.0.reason"));
        ASSERT_REFUSED(404, admin().get("/greeting"));
        ASSERT_STATUS(204, workerClient(*daemon_, createJob(*daemon_)).get("/prompt"));
    }

    void testChangedPluginMustBeListed() {
        plugins_->install("greeter_1", "greeter");
        listHouse();
        append(sumOf("greeter_1"));
        startListed();
        plugins_->install("greeter_2", "greeter");
        ASSERT_CONTAINS(sumOf("greeter_2"), reload().at("refused.0.reason"));
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        listHouse();
        const Response neither = reload();
        ASSERT_FIELD("greeter", neither, "unloaded.0");
        ASSERT_REFUSED(404, admin().get("/greeting"));
        append(sumOf("greeter_2"));
        ASSERT_FIELD("greeter", reload(), "loaded.0");
        ASSERT_FIELD("two", admin().get("/greeting"), "greeting");
    }

    void testListThatCannotBeStopsTheStart() {
        configuration("plugins.trusted = " + list().string() + "\n", 0644);
        Finished refused = startWith(file());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 78, refused.status);
        ASSERT_CONTAINS("plugins.trusted", refused.errors);
        ASSERT_CONTAINS("No such file", refused.errors);
        writeFile(list(), "greeter.so\n");
        ASSERT_CONTAINS("line 1", startWith(file()).errors);
        writeFile(list(), "");
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(list().c_str(), 0666));
        refused = startWith(file());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 78, refused.status);
        ASSERT_CONTAINS("chmod go-w " + list().string(), refused.errors);
    }

    void testListThatCannotBeIsNotReloaded() {
        plugins_->install("greeter_1", "greeter");
        listHouse();
        append(sumOf("greeter_1"));
        startListed();
        writeFile(list(), "a typing error\n");
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, reload().size("unloaded"));
        ASSERT_CONTAINS("line 1", daemon_->log());
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
    }

    void testSumsAreShown() {
        plugins_->install("greeter_1", "greeter");
        start({});
        const Response response = admin().get("/plugins");
        ASSERT_CONTAINS("\"sha256\":\"" + sumOf("greeter_1") + "\"", response.body);
    }

    void testVerifyNeedsNoDaemonAndRunsNothing() {
        const Finished good = verify({PluginFiles::built("marks_loading").string(),
                                      PluginFiles::built("greeter_1").string(), "--json"});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(good.describe(), 0, good.status);
        for (const auto& [path, value] :
             std::map<std::string, std::string>{{"0.name", "marks_loading"},
                                                {"0.state", "good"},
                                                {"1.version", "one"},
                                                {"1.sha256", sumOf("greeter_1")}}) {
            CPPUNIT_ASSERT_EQUAL(value, jsonAt(good.output, "plugins." + path));
        }
        CPPUNIT_ASSERT(!std::filesystem::exists(mark()));
    }

    void testVerifyFindsWhatIsWrong() {
        plugins_->install("greeter_1", "open");
        CPPUNIT_ASSERT_EQUAL(0, ::chmod((*plugins_ / "open.so").c_str(), 0666));
        const std::string whole = readFile(PluginFiles::built("greeter_1"));
        writeFile(*plugins_ / "half.so", whole.substr(0, whole.size() / 2));
        for (const auto& [name, part] : std::map<std::string, std::string>{
                 {(*plugins_ / "open.so").string(), "chmod go-w"},
                 {(*plugins_ / "half.so").string(), "cut off"},
                 {(*plugins_ / "none.so").string(), "No such file"},
                 {plugins_->path().string(), "not a regular file"},
                 {"/etc/passwd", "no shared object"},
                 {PluginFiles::built("other_abi").string(), "plugin ABI " + std::to_string(abiNumber + 1)},
                 {PluginFiles::built("other_toolchain").string(), "another C++ library"},
                 {PluginFiles::built("no_symbol").string(), "sallyport_plugin"}}) {
            const Finished refused = verify({name});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 1, refused.status);
            ASSERT_CONTAINS("refused", refused.output);
            ASSERT_CONTAINS(part, refused.output);
            CPPUNIT_ASSERT_EQUAL(part == "chmod go-w",
                                 refused.output.find("sudo cmake --install") != std::string::npos);
        }
    }

    void testVerifyTakesTheConfiguration() {
        plugins_->install("greeter_1");
        plugins_->install("keeper_1");
        writeFile(list(), sumOf("greeter_1") + "  greeter\n");
        configuration("plugins.dir = " + plugins_->path().string() + ":/nowhere/at/all\nplugins.trusted = " +
                          list().string() + "\nplugins.disabled = keeper\n",
                      0644);
        const Finished first = verify({"--config", file().string()});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(first.describe(), 1, first.status);
        ASSERT_CONTAINS("good", first.output);
        ASSERT_CONTAINS("/nowhere/at/all: ", first.output);
        ASSERT_CONTAINS(sumOf("keeper_1") + ", is not in", first.output);
        plugins_->install("greeter_1", "second");
        ASSERT_CONTAINS("a plugin named greeter is in", verify({"--config", file().string()}).output);
        configuration("plugins.dir = 1\nplugins.watch = perhaps\n", 0644);
        const Finished bad = verify({"--config", file().string()});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(bad.describe(), 2, bad.status);
        ASSERT_CONTAINS("plugins.watch", bad.errors);
    }

    /// The daemon, and sha256sum, read what it writes.
    void testVerifyMakesTheList() {
        plugins_->install("greeter_1", "greeter");
        plugins_->install("other_abi");
        configuration("plugins.dir = " SALLYPORT_PLUGIN_PATH ":" + plugins_->path().string() +
                          "\nplugins.trusted = " + list().string() + "\n",
                      0644);
        const Finished made = verify({"--sums", "--config", file().string()});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(made.describe(), 1, made.status);
        ASSERT_CONTAINS("other_abi.so: ", made.errors);
        ASSERT_LACKS("other_abi", made.output);
        writeFile(list(), made.output);
        const Finished checked =
            run({.program = "/usr/bin/sha256sum", .arguments = {"--check", "--strict", list().string()}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(checked.describe(), 0, checked.status);
        startListed();
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        ASSERT_STATUS(204, workerClient(*daemon_, createJob(*daemon_)).get("/prompt"));
    }

    /// Root can, who verifies; the daemon has a user of its own.
    void testVerifySaysWhatTheDaemonCannotRead() {
        plugins_->install("greeter_1", "greeter");
        std::filesystem::create_directory(data());
        CPPUNIT_ASSERT_EQUAL(0, ::chmod((*plugins_ / "greeter.so").c_str(), 0600));
        configuration("plugins.dir = " + plugins_->path().string() + "\n", 0644);
        CPPUNIT_ASSERT_EQUAL(0, verify({"--config", file().string()}).status);
        if (::chown(data().c_str(), stranger, stranger) != 0) {
            return;  // only root can give files away
        }
        const Finished refused = verify({"--config", file().string()});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 1, refused.status);
        ASSERT_CONTAINS("chmod a+r", refused.output);
    }

    /// A tree that was built for trial: in a folder of a group, or of another user than the one who runs it.
    void testWhoMayReplaceTheProgramIsTrusted() {
        const auto tree = directory_ / "tree";
        std::filesystem::create_directories(tree / "bin");
        std::filesystem::create_directories(tree / "plugins");
        const auto program = tree / "bin" / "sallyport";
        std::filesystem::copy_file(SALLYPORT_CLI_PATH, program);
        std::filesystem::copy_file(SALLYPORTD_PATH, tree / "bin" / "sallyportd");
        const auto plugin = tree / "plugins" / "greeter.so";
        std::filesystem::copy_file(PluginFiles::built("greeter_1"), plugin);
        const auto verifyBy = [&](const std::string& which) {
            return run({.program = which, .arguments = {"plugin", "verify", plugin.string()}});
        };
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(tree.c_str(), 0775));
        assertTrusted(verifyBy(program));
        ASSERT_CONTAINS("chmod go-w " + tree.string(), verifyBy(SALLYPORT_CLI_PATH).output);
        if (::chown(tree.c_str(), stranger, stranger) == 0) {  // only root can give files away
            assertTrusted(verifyBy(program));
            ASSERT_CONTAINS("chown root " + tree.string(), verifyBy(SALLYPORT_CLI_PATH).output);
        }
        // Who may write here cannot replace the program.
        CPPUNIT_ASSERT_EQUAL(0, ::chmod((tree / "plugins").c_str(), 0775));
        ASSERT_CONTAINS("chmod go-w " + (tree / "plugins").string(), verifyBy(program).output);
    }

private:
    static constexpr uid_t stranger = 54321;

    [[nodiscard]] std::filesystem::path file() const { return directory_ / "sallyport.properties"; }
    [[nodiscard]] std::filesystem::path data() const { return directory_ / "data"; }
    [[nodiscard]] std::filesystem::path list() const { return directory_ / "plugins.sha256"; }
    [[nodiscard]] std::filesystem::path mark() const { return directory_ / "mark"; }

    /// Writes it. @return where.
    std::filesystem::path configuration(const std::string& text, mode_t mode) const {
        writeFile(file(), "data.dir = " + data().string() +
                              "\nworker.listen = 127.0.0.1:0\noperator.listen = 127.0.0.1:0\n" + text);
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(file().c_str(), mode));
        return file();
    }

    /// For starts that fail.
    static Finished startWith(const std::filesystem::path& properties) {
        return run({.program = SALLYPORTD_PATH, .arguments = {"--config=" + properties.string()}});
    }

    [[nodiscard]] Finished check() const {
        return run({.program = SALLYPORTD_PATH,
                    .arguments = {"--config=" + file().string(), "--check-config"},
                    .environment = {{"SALLYPORT_TEST_MARK", mark().string()}}});
    }

    [[nodiscard]] Finished verify(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), {"plugin", "verify"});
        return run({.program = SALLYPORT_CLI_PATH,
                    .arguments = std::move(arguments),
                    .environment = {{"SALLYPORT_TEST_MARK", mark().string()}}});
    }

    static void assertTrusted(const Finished& verified) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(verified.describe(), 0, verified.status);
    }

    static std::string sum(const std::filesystem::path& path) {
        return run({.program = "/usr/bin/sha256sum", .arguments = {path.string()}}).output.substr(0, 64);
    }
    static std::string sumOf(const std::string& built) { return sum(PluginFiles::built(built)); }

    /// The plugins that come with the daemon.
    void listHouse() const {
        writeFile(list(), "# of the house\n");
        for (const auto& plugin : std::filesystem::directory_iterator(SALLYPORT_PLUGIN_PATH)) {
            append(sum(plugin.path()));
        }
    }

    void append(const std::string& sha256) const {
        writeFile(list(), readFile(list()) + sha256 + "  some.so\n");
    }

    void start(std::map<std::string, std::string> settings) {
        settings.emplace("plugins.dir", SALLYPORT_PLUGIN_PATH ":" + plugins_->path().string());
        daemon_.emplace(Daemon::Options{.settings = std::move(settings),
                                        .environment = {{"SALLYPORT_TEST_MARK", mark().string()}}});
    }

    void startListed() { start({{"plugins.trusted", list().string()}}); }

    Client admin() { return operatorClient(*daemon_); }

    Response reload() {
        Response response = admin().post("/plugins/reload", "{}");
        ASSERT_STATUS(200, response);
        return response;
    }

    /// Why the file was refused, as the list of plugins says.
    std::string errorOf(const std::string& path) {
        const Response response = admin().get("/plugins");
        for (std::size_t i = 0; i < response.size("plugins"); ++i) {
            const std::string plugin = "plugins." + std::to_string(i);
            if (response.at(plugin + ".file") == path && response.at(plugin + ".state") == "refused") {
                return response.at(plugin + ".error");
            }
        }
        CPPUNIT_FAIL(path + " is not refused: " + response.describe());
        return {};
    }

    TemporaryDirectory directory_;
    std::optional<PluginFiles> plugins_;
    std::optional<Daemon> daemon_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginTrustTest);

}  // namespace sallyport::tests
