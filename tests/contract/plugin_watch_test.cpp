// plugins.watch: what is put into a plugin directory is live, and what is taken out of it is not, without a
// word.
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/file_descriptor.h>

#include "tests/contract/plugin_files.h"
#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"

namespace sallyport::tests {

class PluginWatchTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginWatchTest);
    CPPUNIT_TEST(testDroppedInAndRemovedIsNoticed);
    CPPUNIT_TEST(testNotWatchedUnlessAsked);
    CPPUNIT_TEST(testHalfAFileIsAwaited);
    CPPUNIT_TEST(testReloadLeavesAHalfFileAlone);
    CPPUNIT_TEST(testRewritingInPlaceKeepsTheOldOneUntilItIsDone);
    CPPUNIT_TEST(testRemovedToBeReplacedIsNotUnloaded);
    CPPUNIT_TEST(testRefusedForItsRightsAndMended);
    CPPUNIT_TEST(testDirectoryThatIsMadeLater);
    CPPUNIT_TEST(testDirectoryThatIsReplaced);
    CPPUNIT_TEST(testListOfTrustedPluginsIsWatched);
    CPPUNIT_TEST(testConfigurationIsReadAgainWithAPlugin);
    CPPUNIT_TEST(testWatchingIsTurnedOnAndOffByAReload);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override { plugins_.emplace(); }

    void tearDown() override {
        daemon_.reset();
        plugins_.reset();
    }

    void testDroppedInAndRemovedIsNoticed() {
        start();
        awaits("a plugin was loaded", [&] { plugins_->install("greeter_1", "greeter"); });
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        awaits("a plugin was replaced", [&] { plugins_->install("greeter_2", "greeter"); });
        ASSERT_FIELD("two", admin().get("/greeting"), "greeting");
        awaits("a plugin was refused", [&] { plugins_->install("throws_at_start", "greeter"); });
        ASSERT_FIELD("two", admin().get("/greeting"), "greeting");
        awaits("a plugin was unloaded", [&] { std::filesystem::remove(*plugins_ / "greeter.so"); });
        ASSERT_REFUSED(404, admin().get("/greeting"));
    }

    void testNotWatchedUnlessAsked() {
        start({{"plugins.watch", "false"}});
        plugins_->install("greeter_1", "greeter");
        ASSERT_REFUSED(404, admin().get("/greeting"));
        ASSERT_FIELD("greeter", reload(), "loaded.0");
        ASSERT_LACKS("plugin files have changed", daemon_->log());
    }

    /// However slow the copying is: in the middle of it, another one is put in place and noticed.
    void testHalfAFileIsAwaited() {
        start();
        const std::string whole = readFile(PluginFiles::built("greeter_1"));
        auto copy = open(*plugins_ / "greeter.so", O_CREAT);
        for (const std::size_t size : {std::size_t{1000}, whole.size() / 2, whole.size()}) {
            writeTo(copy, whole, size);
            awaits("a plugin was loaded", [&] { plugins_->install("keeper_1"); });
            awaits("a plugin was unloaded", [&] { std::filesystem::remove(*plugins_ / "keeper_1.so"); });
            ASSERT_REFUSED(404, admin().get("/greeting"));
        }
        ASSERT_LACKS("cut off", daemon_->log());
        awaits("a plugin was loaded", [&] { copy.close(); });
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
    }

    void testReloadLeavesAHalfFileAlone() {
        start();
        const std::string whole = readFile(PluginFiles::built("greeter_1"));
        auto copy = open(*plugins_ / "greeter.so", O_CREAT);
        writeTo(copy, whole, whole.size());  // It may go on: nobody has closed it.
        awaits("a plugin was loaded", [&] { plugins_->install("keeper_1"); });
        ASSERT_CONTAINS("still being written", reload().at("refused.0.reason"));
        ASSERT_REFUSED(404, admin().get("/greeting"));
        awaits("a plugin was loaded", [&] { copy.close(); });
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
    }

    /// As `cp` does it, and `dd`, which does not even cut the file to nothing first.
    void testRewritingInPlaceKeepsTheOldOneUntilItIsDone() {
        plugins_->install("greeter_1", "greeter");
        start();
        const std::string whole = readFile(PluginFiles::built("greeter_2"));
        for (const int flags : {O_TRUNC, 0}) {
            plugins_->install("greeter_1", "greeter");
            daemon_->reload();
            auto copy = open(*plugins_ / "greeter.so", flags);
            writeTo(copy, whole, whole.size() / 2);
            awaits("a plugin was loaded", [&] { plugins_->install("keeper_1"); });
            ASSERT_CONTAINS("still being written", reload().at("refused.0.reason"));
            ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
            writeTo(copy, whole, whole.size());
            awaits("a plugin was replaced", [&] { copy.close(); });
            ASSERT_FIELD("two", admin().get("/greeting"), "greeting");
            awaits("a plugin was unloaded", [&] { std::filesystem::remove(*plugins_ / "keeper_1.so"); });
        }
    }

    /// As install(1) does it.
    void testRemovedToBeReplacedIsNotUnloaded() {
        plugins_->install("greeter_1", "greeter");
        start();
        const std::string whole = readFile(PluginFiles::built("greeter_2"));
        std::filesystem::remove(*plugins_ / "greeter.so");
        auto copy = open(*plugins_ / "greeter.so", O_CREAT);
        writeTo(copy, whole, whole.size() / 2);
        awaits("a plugin was loaded", [&] { plugins_->install("keeper_1"); });
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        writeTo(copy, whole, whole.size());
        awaits("a plugin was replaced", [&] { copy.close(); });
        ASSERT_FIELD("two", admin().get("/greeting"), "greeting");
        ASSERT_LACKS("a plugin was unloaded", daemon_->log());
    }

    void testRefusedForItsRightsAndMended() {
        start();
        const auto fresh = *plugins_ / "fresh";
        std::filesystem::copy_file(PluginFiles::built("greeter_1"), fresh);
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(fresh.c_str(), 0666));
        awaits("a plugin was refused", [&] { std::filesystem::rename(fresh, *plugins_ / "greeter.so"); });
        awaits("a plugin was loaded", [&] { ::chmod((*plugins_ / "greeter.so").c_str(), 0644); });
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
    }

    void testDirectoryThatIsMadeLater() {
        const auto late = *plugins_ / "some/where";
        start({{"plugins.dir", SALLYPORT_PLUGIN_PATH ":" + late.string()}});
        awaits("plugin files have changed", [&] { std::filesystem::create_directories(late); });
        awaits("a plugin was loaded",
               [&] { std::filesystem::copy_file(PluginFiles::built("greeter_1"), late / "greeter.so"); });
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        awaits("a plugin was unloaded", [&] { std::filesystem::remove_all(*plugins_ / "some"); });
        ASSERT_REFUSED(404, admin().get("/greeting"));
    }

    /// A set of plugins put in place of another by one link.
    void testDirectoryThatIsReplaced() {
        for (const std::string version : {"1", "2"}) {
            std::filesystem::create_directory(*plugins_ / version);
            std::filesystem::copy_file(PluginFiles::built("greeter_" + version),
                                       *plugins_ / version / "greeter.so");
        }
        std::filesystem::create_symlink("1", *plugins_ / "current");
        start({{"plugins.dir", SALLYPORT_PLUGIN_PATH ":" + (*plugins_ / "current").string()}});
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        awaits("a plugin was replaced", [&] {
            std::filesystem::create_symlink("2", *plugins_ / "next");
            std::filesystem::rename(*plugins_ / "next", *plugins_ / "current");
        });
        ASSERT_FIELD("two", admin().get("/greeting"), "greeting");
        awaits("a plugin was unloaded", [&] { std::filesystem::remove(*plugins_ / "2/greeter.so"); });
    }

    void testListOfTrustedPluginsIsWatched() {
        const auto list = *plugins_ / "sums";
        const auto sums = [](const std::string& path) {
            return run({.program = "/bin/sh", .arguments = {"-c", "sha256sum " + path}}).output;
        };
        plugins_->install("greeter_1", "greeter");
        writeFile(list, sums(SALLYPORT_PLUGIN_PATH "/*.so"));
        start({{"plugins.trusted", list.string()}});
        ASSERT_REFUSED(404, admin().get("/greeting"));
        awaits("a plugin was loaded",
               [&] { writeFile(list, readFile(list) + sums((*plugins_ / "greeter.so").string())); });
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
    }

    /// Who drops a plugin in has written its keys before.
    void testConfigurationIsReadAgainWithAPlugin() {
        start();
        writeFile(daemon_->directory() / "sallyport.properties", "greeter.gate = 7\n");
        awaits("a plugin was refused",
               [&] { plugins_->install("successor_with_other_settings", "greeter"); });
        ASSERT_CONTAINS("no start", daemon_->log());
        writeFile(daemon_->directory() / "sallyport.properties", "greeter.gate = x\n");
        awaits("a plugin was refused",
               [&] { plugins_->install("successor_with_other_settings", "greeter"); });
        ASSERT_CONTAINS("a whole number", daemon_->log());
    }

    void testWatchingIsTurnedOnAndOffByAReload() {
        plugins_->install("keeper_1");
        daemon_.emplace(Daemon::Options{.settings = {{"plugins.dir", directories()}}});
        const auto properties = daemon_->directory() / "sallyport.properties";
        writeFile(properties, "plugins.watch = true\n");
        daemon_->reload();
        awaits("a plugin was loaded", [&] { plugins_->install("greeter_1", "greeter"); });
        writeFile(properties, "plugins.watch = false\n");
        daemon_->reload();
        const std::size_t before = daemon_->log().size();
        std::filesystem::remove(*plugins_ / "greeter.so");
        ASSERT_FIELD("greeter", reload(), "unloaded.0");
        ASSERT_LACKS("plugin files have changed", daemon_->log().substr(before));
    }

private:
    [[nodiscard]] std::string directories() const {
        return SALLYPORT_PLUGIN_PATH ":" + plugins_->path().string();
    }

    void start(std::map<std::string, std::string> settings = {}) {
        settings.emplace("plugins.dir", directories());
        settings.emplace("plugins.watch", "true");
        daemon_.emplace(Daemon::Options{.settings = std::move(settings)});
    }

    /// Does it, and awaits that the daemon says so, and is done with it.
    template <class F>
    void awaits(std::string_view line, F action) {
        const std::size_t before = daemon_->log().size();
        action();
        daemon_->awaitLog(line, before);
        daemon_->awaitLog("reloaded", daemon_->log().find(line, before));
    }

    static FileDescriptor open(const std::filesystem::path& path, int flags) {
        FileDescriptor opened(::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, 0644));
        CPPUNIT_ASSERT(opened.open());
        return opened;
    }

    /// So much of it, if it has not been written before.
    static void writeTo(const FileDescriptor& file, const std::string& whole, std::size_t size) {
        const auto done = static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_CUR));
        CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(size - done),
                             ::write(file.get(), whole.data() + done, size - done));
    }

    Client admin() { return operatorClient(*daemon_); }

    Response reload() {
        Response response = admin().post("/plugins/reload", "{}");
        ASSERT_STATUS(200, response);
        return response;
    }

    std::optional<PluginFiles> plugins_;
    std::optional<Daemon> daemon_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginWatchTest);

}  // namespace sallyport::tests
