#include "host/config/configuration.h"

#include <array>
#include <map>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::host::config {
namespace {

using tests::TemporaryDirectory;

constexpr std::array<Setting, 6> workerKeys{{
    {"listen", SettingKind::text, "0.0.0.0:50051", ""},
    {"max_body", SettingKind::size, "32MiB", "", 1024},
    {"threads", SettingKind::integer, "4", "", 1, 64},
    {"timeout", SettingKind::duration, "10s", ""},
    {"eager", SettingKind::boolean, "true", ""},
    {"only", SettingKind::list, "", ""},
}};

constexpr std::array<Setting, 4> providerKeys{{
    {"providers", SettingKind::list, "", ""},
    {"provider.*.type", SettingKind::text, "echo", ""},
    {"provider.*.retries", SettingKind::integer, "3", "", 0, 9},
    {"provider.main.retries", SettingKind::integer, "5", "", 0, 99},
}};

using Strings = std::vector<std::string>;

class ConfigurationTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ConfigurationTest);
    CPPUNIT_TEST(testDefaults);
    CPPUNIT_TEST(testFile);
    CPPUNIT_TEST(testCommandLineWins);
    CPPUNIT_TEST(testKeysDeclaredWhole);
    CPPUNIT_TEST(testExpansion);
    CPPUNIT_TEST(testUndefinedReference);
    CPPUNIT_TEST(testReferenceToItself);
    CPPUNIT_TEST(testMissingFile);
    CPPUNIT_TEST(testDirectoryInsteadOfFile);
    CPPUNIT_TEST(testDuplicateKey);
    CPPUNIT_TEST(testBadValueNamesFile);
    CPPUNIT_TEST(testBadValueNamesCommandLine);
    CPPUNIT_TEST(testBadValueForReaders);
    CPPUNIT_TEST(testControlCharactersInSentences);
    CPPUNIT_TEST(testUndeclaredKey);
    CPPUNIT_TEST(testKeyOfOtherKind);
    CPPUNIT_TEST(testBadDefault);
    CPPUNIT_TEST(testAnyName);
    CPPUNIT_TEST(testLiteralBeforeAnyName);
    CPPUNIT_TEST(testNames);
    CPPUNIT_TEST(testKeysBelow);
    CPPUNIT_TEST(testSettingsOutliveConfiguration);
    CPPUNIT_TEST(testUnknownKeys);
    CPPUNIT_TEST(testUnknownKeyBelowAnyName);
    CPPUNIT_TEST(testUnknownKeyOnCommandLine);
    CPPUNIT_TEST(testUnknownKeysOfAbsentPlugins);
    CPPUNIT_TEST_SUITE_END();

    TemporaryDirectory directory_;
    const std::string file_ = (directory_ / "sallyport.properties").string();

    Configuration read(std::string_view contents, const Configuration::Overrides& overrides = {}) const {
        tests::writeFile(file_, contents);
        return {file_, overrides};
    }

    /// The sentence of the BadValue that `action` must throw.
    template <class Action>
    static std::string refusal(Action action) {
        try {
            action();
        } catch (const BadValue& problem) {
            return problem.what();
        }
        CPPUNIT_FAIL("accepted");
        return {};
    }

    static void testDefaults() {
        const auto settings = Configuration("", {}).settings("worker", workerKeys);
        CPPUNIT_ASSERT_EQUAL(std::string("0.0.0.0:50051"), settings->text("listen"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{32} << 20U, settings->size("max_body"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4}, settings->integer("threads"));
        CPPUNIT_ASSERT(settings->duration("timeout") == std::chrono::seconds(10));
        CPPUNIT_ASSERT(settings->boolean("eager"));
        CPPUNIT_ASSERT(settings->list("only").empty());
        CPPUNIT_ASSERT(!settings->has("listen"));
        CPPUNIT_ASSERT(settings->names("").empty());
    }

    void testFile() {
        const auto settings = read(
                                  "# a comment\n"
                                  "worker.listen  =  unix:/run/w \n"
                                  "worker.max_body: 1KiB\n"
                                  "worker.threads=64\r\n"
                                  "worker.timeout = 0\n"
                                  "worker.eager = false\n"
                                  "worker.only = a, \\\n  b\n"
                                  "other.listen = x")
                                  .settings("worker", workerKeys);
        CPPUNIT_ASSERT_EQUAL(std::string("unix:/run/w"), settings->text("listen"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1024}, settings->size("max_body"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{64}, settings->integer("threads"));
        CPPUNIT_ASSERT(settings->duration("timeout") == std::chrono::seconds(0));
        CPPUNIT_ASSERT(!settings->boolean("eager"));
        CPPUNIT_ASSERT((settings->list("only") == Strings{"a", "b"}));
        CPPUNIT_ASSERT(settings->has("listen"));
    }

    void testCommandLineWins() {
        const auto configuration =
            read("worker.threads = 2\n",
                 {{"worker.threads", "3"}, {"worker.timeout", "1s"}, {"worker.timeout", "2s"}});
        const auto settings = configuration.settings("worker", workerKeys);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, settings->integer("threads"));
        CPPUNIT_ASSERT(settings->duration("timeout") == std::chrono::seconds(2));
        CPPUNIT_ASSERT(settings->has("timeout"));
        CPPUNIT_ASSERT_EQUAL(std::string("-D"), configuration.origin("worker.threads"));
    }

    void testKeysDeclaredWhole() {
        const std::array<Setting, 1> declared{{{"data.dir", SettingKind::text, "/var/lib/x", ""}}};
        CPPUNIT_ASSERT_EQUAL(std::string("/var/lib/x"), read("").settings("", declared)->text("data.dir"));
        CPPUNIT_ASSERT_EQUAL(std::string("/srv"),
                             read("data.dir = /srv\n").settings("", declared)->text("data.dir"));
    }

    void testExpansion() {
        const auto configuration = read("home = /srv\nport = 1\nworker.listen = unix:${dir}/$w-${port}\n",
                                        {{"dir", "${home}/run"}, {"port", "2"}});
        CPPUNIT_ASSERT_EQUAL(std::string("unix:/srv/run/$w-2"),
                             configuration.settings("worker", workerKeys)->text("listen"));
    }

    void testUndefinedReference() {
        CPPUNIT_ASSERT_EQUAL(file_ + ": worker.listen: \"${hom}\" names no key that is set",
                             refusal([this] { read("home = /\nworker.listen = ${home}${hom}/w\n"); }));
        CPPUNIT_ASSERT_EQUAL(std::string("-D: x: \"${y}\" names no key that is set"), refusal([] {
                                 Configuration("", {{"x", "${y}"}});
                             }));
    }

    void testReferenceToItself() {
        ASSERT_CONTAINS(file_ + ": a: its ${…} lead back to itself",
                        refusal([this] { read("a = ${b}\nb = ${a}\n"); }));
    }

    void testMissingFile() {
        CPPUNIT_ASSERT_EQUAL("the configuration file " + file_ + " cannot be read: No such file or directory",
                             refusal([this] { Configuration(file_, {}); }));
    }

    void testDirectoryInsteadOfFile() {
        const std::string path = directory_.path().string();
        CPPUNIT_ASSERT_EQUAL("the configuration file " + path + " cannot be read: Is a directory",
                             refusal([&] { Configuration(path, {}); }));
    }

    void testDuplicateKey() {
        CPPUNIT_ASSERT_EQUAL(file_ + ": worker.threads is set twice",
                             refusal([this] { read("worker.threads = 1\nx = 1\nworker.threads : 1\n"); }));
    }

    void testBadValueNamesFile() {
        const auto configuration = read("worker.max_body = lots\n");
        CPPUNIT_ASSERT_EQUAL(
            file_ + ": worker.max_body = \"lots\": expected a size such as 512KiB or 32MiB, at least 1KiB",
            refusal([&] { static_cast<void>(configuration.settings("worker", workerKeys)); }));
    }

    void testBadValueNamesCommandLine() {
        const auto configuration = read("worker.threads = 1\n", {{"worker.threads", "65"}});
        CPPUNIT_ASSERT_EQUAL(
            std::string("-D: worker.threads = \"65\": expected a whole number from 1 to 64"),
            refusal([&] { static_cast<void>(configuration.settings("worker", workerKeys)); }));
    }

    void testBadValueForReaders() {
        CPPUNIT_ASSERT_EQUAL(
            file_ + ": worker.listen = \"here\": expected host:port",
            std::string(read("worker.listen = here\n").badValue("worker.listen", "host:port").what()));
    }

    void testControlCharactersInSentences() {
        const auto configuration = read("worker.threads = \x1b[2J\n");
        ASSERT_CONTAINS("\"\\u001b[2J\"",
                        refusal([&] { static_cast<void>(configuration.settings("worker", workerKeys)); }));
    }

    void testUndeclaredKey() {
        const auto settings = read("worker.secret = x\n").settings("worker", workerKeys);
        CPPUNIT_ASSERT_THROW(static_cast<void>(settings->text("secret")), std::logic_error);
        CPPUNIT_ASSERT_THROW(static_cast<void>(settings->has("secret")), std::logic_error);
    }

    void testKeyOfOtherKind() {
        const auto settings = read("").settings("worker", workerKeys);
        CPPUNIT_ASSERT_THROW(static_cast<void>(settings->integer("timeout")), std::logic_error);
        CPPUNIT_ASSERT_THROW(static_cast<void>(settings->text("threads")), std::logic_error);
    }

    void testBadDefault() {
        const std::array<Setting, 1> declared{{{"n", SettingKind::integer, "", ""}}};
        CPPUNIT_ASSERT_THROW(static_cast<void>(read("").settings("p", declared)), std::logic_error);
    }

    void testAnyName() {
        const auto configuration = read(
            "llm.provider.backup.type = ollama\n"
            "llm.provider.backup.retries = 10\n");
        CPPUNIT_ASSERT_EQUAL(
            file_ + ": llm.provider.backup.retries = \"10\": expected a whole number from 0 to 9",
            refusal([&] { static_cast<void>(configuration.settings("llm", providerKeys)); }));
        const auto settings = read("llm.provider.backup.type = ollama\nllm.provider.a.b.type = x\n")
                                  .settings("llm", providerKeys);
        CPPUNIT_ASSERT_EQUAL(std::string("ollama"), settings->text("provider.backup.type"));
        CPPUNIT_ASSERT_EQUAL(std::string("echo"), settings->text("provider.unset.type"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, settings->integer("provider.backup.retries"));
        CPPUNIT_ASSERT(settings->has("provider.backup.type"));
        CPPUNIT_ASSERT(!settings->has("provider.backup.retries"));
        CPPUNIT_ASSERT_THROW(static_cast<void>(settings->text("provider.a.b.type")), std::logic_error);
        CPPUNIT_ASSERT_THROW(static_cast<void>(settings->text("provider..type")), std::logic_error);
    }

    void testLiteralBeforeAnyName() {
        const auto settings = read("").settings("llm", providerKeys);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, settings->integer("provider.main.retries"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{50}, read("llm.provider.main.retries = 50\n")
                                                   .settings("llm", providerKeys)
                                                   ->integer("provider.main.retries"));
    }

    void testNames() {
        const auto settings =
            read(
                "llm.provider.main.type = a\nllm.provider.main.retries = 1\n"
                "llm.provider.backup.type = b\nllm.providers = main\nother.provider.x.type = c\n")
                .settings("llm", providerKeys);
        CPPUNIT_ASSERT((settings->names("provider") == Strings{"backup", "main"}));
        CPPUNIT_ASSERT((settings->names("") == Strings{"provider", "providers"}));
        CPPUNIT_ASSERT(settings->names("provid").empty());
    }

    void testKeysBelow() {
        const Configuration configuration =
            read("llm.providers = main\nllm.x = ${llm.providers}\nllmx.y = 1\n");
        const std::map<std::string, std::string> expected{{"llm.providers", "main"}, {"llm.x", "main"}};
        CPPUNIT_ASSERT(configuration.below("llm") == expected);
        CPPUNIT_ASSERT(configuration.below("x").empty());
    }

    void testSettingsOutliveConfiguration() {
        std::shared_ptr<const Settings> settings;
        {
            const std::string key = "listen.somewhere.far.from.here";
            const std::string byDefault = "a default that is stored elsewhere";
            const std::array<Setting, 1> declared{{{key.c_str(), SettingKind::text, byDefault.c_str(), ""}}};
            settings = read("").settings("worker", declared);
        }
        CPPUNIT_ASSERT_EQUAL(std::string("a default that is stored elsewhere"),
                             settings->text("listen.somewhere.far.from.here"));
    }

    void testUnknownKeys() {
        const auto configuration = read("worker.max_bdy = 1\nworker.listen = x\nzebra = 1\n");
        CPPUNIT_ASSERT(
            (configuration.unknownKeys({"operator.max_body", "worker.max_body", "worker.listen"}) ==
             Strings{file_ + ": unknown key \"worker.max_bdy\"; did you mean worker.max_body?",
                     file_ + ": unknown key \"zebra\""}));
    }

    void testUnknownKeyBelowAnyName() {
        const auto configuration = read("llm.provider.main.tpye = x\nllm.provider.main.type = x\n");
        CPPUNIT_ASSERT(
            (configuration.unknownKeys({"llm.provider.*.type", "llm.provider.*.model"}) ==
             Strings{file_ +
                     ": unknown key \"llm.provider.main.tpye\"; did you mean llm.provider.main.type?"}));
    }

    static void testUnknownKeyOnCommandLine() {
        const Configuration configuration("", {{"data.dri", "/x"}});
        CPPUNIT_ASSERT((configuration.unknownKeys({"data.dir"}) ==
                        Strings{"-D: unknown key \"data.dri\"; did you mean data.dir?"}));
    }

    void testUnknownKeysOfAbsentPlugins() {
        const auto configuration = read("prompts.max_size = 1KiB\npromptsx.y = 1\n");
        CPPUNIT_ASSERT(
            (configuration.unknownKeys({}, {"prompts"}) == Strings{file_ + ": unknown key \"promptsx.y\""}));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ConfigurationTest);

}  // namespace
}  // namespace sallyport::host::config
