// `sallyport doctor`, beside the real daemon and where none runs.
#include "tests/contract/doctor.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>
#include <sqlite3.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/jobs.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tls_identity.h"

namespace sallyport::tests {

class DoctorTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DoctorTest);
    CPPUNIT_TEST(testHealthyDaemon);
    CPPUNIT_TEST(testStoppedDaemon);
    CPPUNIT_TEST(testKilledDaemon);
    CPPUNIT_TEST(testDaemonThatDoesNotAnswer);
    CPPUNIT_TEST(testBeforeTheFirstStart);
    CPPUNIT_TEST(testAnswerAsJson);
    CPPUNIT_TEST(testWrongConfiguration);
    CPPUNIT_TEST(testWrongPermissions);
    CPPUNIT_TEST(testDamagedDatabase);
    CPPUNIT_TEST(testTakenPort);
    CPPUNIT_TEST(testSocketThatCannotBeMade);
    CPPUNIT_TEST(testMissingMasterKey);
    CPPUNIT_TEST(testWrongMasterKey);
    CPPUNIT_TEST(testDamagedSecret);
    CPPUNIT_TEST(testKeysOfProviders);
    CPPUNIT_TEST(testKeyInTheDaemonsEnvironment);
    CPPUNIT_TEST(testUnreachableUpstream);
    CPPUNIT_TEST(testUpstreamsCertificate);
    CPPUNIT_TEST(testUpstreamBehindAProxy);
    CPPUNIT_TEST(testOfflineAsksNobody);
    CPPUNIT_TEST(testRootGoesOnAsTheDaemonsUser);
    CPPUNIT_TEST(testAnotherUserIsTold);
    CPPUNIT_TEST_SUITE_END();

public:
    /// It must change nothing, and make nothing, beside a daemon that works.
    void testHealthyDaemon() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        const std::string before = namesIn(daemon.dataDirectory());
        const Finished finished = doctor(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
        ASSERT_LACKS("FAILED", finished.output);
        ASSERT_LACKS("warning", finished.output);
        ASSERT_LACKS("\x1b", finished.output);
        for (const std::string& part :
             {"process " + std::to_string(daemon.pid()) + " runs", "answers at " + daemon.worker().address(),
              "answers at " + daemon.operators().address(), std::string("5 plugins running without trouble"),
              std::string("sallyport.db is whole"), std::string("the daemon has the master key")}) {
            ASSERT_CONTAINS(part, finished.output);
        }
        CPPUNIT_ASSERT_EQUAL(before, namesIn(daemon.dataDirectory()));
        ASSERT_STATUS(204, workerClient(daemon, job).get("/prompt"));
    }

    void testStoppedDaemon() {
        Daemon daemon;
        daemon.terminate();
        const std::string before = namesIn(daemon.dataDirectory());
        const Finished finished = doctor(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
        ASSERT_CONTAINS("0 failures, 1 warning.", finished.output);
        for (const std::string part :
             {"systemctl start sallyport", "127.0.0.1:0 is free", "5 plugins can be loaded",
              "sallyport.db is whole", "credentials.key is the right one"}) {
            ASSERT_CONTAINS(part, finished.output);
        }
        CPPUNIT_ASSERT_EQUAL(before, namesIn(daemon.dataDirectory()));
        daemon.start();
    }

    void testKilledDaemon() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        daemon.kill();
        const Finished finished = doctor(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
        ASSERT_CONTAINS("does not run with", finished.output);
        daemon.start();
        ASSERT_STATUS(204, workerClient(daemon, job).get("/prompt"));
    }

    void testDaemonThatDoesNotAnswer() {
        Daemon daemon;
        CPPUNIT_ASSERT_EQUAL(0, ::kill(daemon.pid(), SIGSTOP));
        const Finished finished = doctor(daemon);
        CPPUNIT_ASSERT_EQUAL(0, ::kill(daemon.pid(), SIGCONT));
        assertFailed("process " + std::to_string(daemon.pid()) + " runs, but", finished);
        ASSERT_CONTAINS("systemctl restart sallyport", finished.output);
    }

    void testBeforeTheFirstStart() {
        const Finished finished =
            run({.program = SALLYPORT_CLI_PATH,
                 .arguments = {"doctor", "-Ddata.dir=" + (places_ / "none").string(),
                               "-Dworker.listen=127.0.0.1:0", "-Doperator.listen=127.0.0.1:0",
                               "-Dplugins.dir=" SALLYPORT_PLUGIN_PATH}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
        ASSERT_CONTAINS("there is no data directory", finished.output);
        ASSERT_CONTAINS("the first start makes it", finished.output);
        CPPUNIT_ASSERT(!std::filesystem::exists(places_ / "none"));
    }

    void testAnswerAsJson() {
        Daemon daemon;
        daemon.terminate();
        const Finished finished = doctor(daemon, {"--json", "-Dlog.levle=info"});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
        CPPUNIT_ASSERT_EQUAL(std::string("0"), jsonAt(finished.output, "failures"));
        CPPUNIT_ASSERT_EQUAL(std::string("2"), jsonAt(finished.output, "warnings"));
        CPPUNIT_ASSERT_EQUAL(std::string("configuration"), jsonAt(finished.output, "checks.1.check"));
        CPPUNIT_ASSERT_EQUAL(std::string("warning"), jsonAt(finished.output, "checks.1.status"));
        ASSERT_CONTAINS("did you mean log.level?", jsonAt(finished.output, "checks.1.message"));
        daemon.start();
    }

    void testWrongConfiguration() {
        const auto file = places_ / "sallyport.properties";
        writeFile(file, "http.threads = many\n");
        assertFailed(
            "http.threads = \"many\": expected a whole number",
            run({.program = SALLYPORT_CLI_PATH, .arguments = {"doctor", "--config", file.string()}}));
        Daemon daemon;
        assertFailed("llm.retry.max = \"often\"", doctor(daemon, {"-Dllm.retry.max=often"}));
        assertFailed("llm.provider.main.type is not set", doctor(daemon, {"-Dllm.providers=main"}));
        const Finished usage = run({.program = SALLYPORT_CLI_PATH, .arguments = {"doctor", "-D", "nothing"}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(usage.describe(), 2, usage.status);
    }

    void testWrongPermissions() {
        Daemon daemon;
        struct Wrong {
            std::filesystem::path file;
            mode_t mode;
            std::string finding;
            std::string advice;
        };
        const auto data = daemon.dataDirectory();
        const auto configuration = daemon.directory() / "sallyport.properties";
        for (const Wrong& wrong :
             {Wrong{data / "operator.token", 0644, " has mode ", "run chmod 600 "},
              Wrong{data / "sallyport.db", 0640, " has mode ", "run chmod 600 "},
              Wrong{data / "credentials.key", 0604, " has mode ", "sallyport secret rekey"},
              Wrong{data, 0755, " has mode ", "run chmod 700 "},
              Wrong{configuration, 0666, "; run chmod go-w ", "others may write to "}}) {
            struct stat before {};
            CPPUNIT_ASSERT_EQUAL(0, ::stat(wrong.file.c_str(), &before));
            CPPUNIT_ASSERT_EQUAL(0, ::chmod(wrong.file.c_str(), wrong.mode));
            const Finished finished = doctor(daemon);
            assertFailed(wrong.file.string() + wrong.finding, finished);
            ASSERT_CONTAINS(wrong.advice, finished.output);
            CPPUNIT_ASSERT_EQUAL(0, ::chmod(wrong.file.c_str(), before.st_mode & 07777U));
        }
        assertFailed("and the log goes there",
                     doctor(daemon, {"-Dlog.file=" + (places_ / "no/log").string()}));
        if (::geteuid() == 0) {
            CPPUNIT_ASSERT_EQUAL(0, ::chown((data / "sallyport.db").c_str(), nobody, nobody));
            assertFailed("sallyport.db does not belong to root: run chown --reference=", doctor(daemon));
            CPPUNIT_ASSERT_EQUAL(0, ::chown((data / "sallyport.db").c_str(), 0, 0));
        }
    }

    void testDamagedDatabase() {
        Daemon daemon;
        daemon.terminate();
        const auto database = daemon.dataDirectory() / "sallyport.db";
        const std::string whole = readFile(database);
        std::string damaged = whole;
        std::fill(damaged.begin() + 4096, damaged.begin() + 3 * 4096, '\xa5');
        writeFile(database, damaged);
        const Finished finished = doctor(daemon);
        assertFailed("sallyport.db is damaged", finished);
        ASSERT_CONTAINS("sallyport restore FILE", finished.output);
        writeFile(database, std::string(8192, 'g'));
        assertFailed("is not an SQLite database", doctor(daemon));
        writeFile(database, whole);
        daemon.start();
    }

    void testTakenPort() {
        Daemon daemon;
        daemon.terminate();
        const FakeUpstream other;
        const std::string address = "127.0.0.1:" + std::to_string(other.port());
        const Finished finished = doctor(daemon, {"-Dworker.listen=" + address});
        assertFailed(address + " is taken by another process", finished);
        ASSERT_CONTAINS("operator door  127.0.0.1:0 is free", finished.output);
        assertFailed("no interface of this machine has the address",
                     doctor(daemon, {"-Dworker.listen=192.0.2.1:50051"}));
        daemon.start();
    }

    void testSocketThatCannotBeMade() {
        Daemon daemon;
        daemon.terminate();
        writeFile(places_ / "file", "");
        assertFailed("is there and is no socket",
                     doctor(daemon, {"-Dworker.listen=unix:" + (places_ / "file").string()}));
        assertFailed("no socket can be made",
                     doctor(daemon, {"-Dworker.listen=unix:" + (places_ / "no/worker.sock").string()}));
        const auto socket = places_ / "worker.sock";
        const Finished free = doctor(daemon, {"-Dworker.listen=unix:" + socket.string()});
        ASSERT_CONTAINS("worker.sock is free", free.output);
        daemon.options().settings["worker.listen"] = "unix:" + socket.string();
        daemon.start();
        const Finished running = doctor(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(running.describe(), 0, running.status);
        ASSERT_CONTAINS("answers at unix:" + socket.string(), running.output);
    }

    void testMissingMasterKey() {
        Daemon daemon;
        putSecret(daemon, "github", "ghp-1");
        daemon.terminate();
        const auto key = daemon.dataDirectory() / "credentials.key";
        std::filesystem::rename(key, places_ / "key");
        const Finished stopped = doctor(daemon);
        assertFailed("there is no master key", stopped);
        ASSERT_CONTAINS("put it back into " + key.string(), stopped.output);
        daemon.start();
        const Finished running = doctor(daemon);
        assertFailed("keys           credentials: the secret store is sealed", running);
        ASSERT_CONTAINS("put it back into " + key.string(), running.output);
    }

    void testWrongMasterKey() {
        Daemon daemon;
        putSecret(daemon, "github", "ghp-1");
        daemon.terminate();
        const auto key = daemon.dataDirectory() / "credentials.key";
        const std::string right = readFile(key);
        writeFile(key, std::string(64, 'a') + "\n");
        assertFailed("is not the one that the secrets were encrypted with", doctor(daemon));
        writeFile(key, "short\n");
        assertFailed("needs at least 32", doctor(daemon));
        // While it was being changed the daemon died: one of the two is right.
        writeFile(key, std::string(64, 'a') + "\n");
        writeFile(key.string() + ".new", right);
        std::filesystem::permissions(key.string() + ".new", std::filesystem::perms(0600));
        const Finished two = doctor(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(two.describe(), 0, two.status);
        ASSERT_CONTAINS("all 1 secrets can be decrypted", two.output);
        ASSERT_LACKS(right.substr(0, 64), two.output);
        daemon.start();
    }

    void testDamagedSecret() {
        Daemon daemon;
        putSecret(daemon, "github", "ghp-1");
        putSecret(daemon, "openai", "sk-2");
        daemon.terminate();
        changeDatabase(daemon, "UPDATE secrets SET encrypted_value = zeroblob(40) WHERE name = 'openai'");
        const Finished finished = doctor(daemon);
        assertFailed("1 of 2 secrets cannot be decrypted (openai of user default)", finished);
        ASSERT_LACKS("ghp-1", finished.output);
        daemon.start();
        assertFailed("1 of 2 secrets cannot be decrypted", doctor(daemon));
    }

    void testKeysOfProviders() {
        writeFile(places_ / "key", "sk-in-a-file\n");
        std::filesystem::permissions(places_ / "key", std::filesystem::perms(0600));
        Daemon daemon({.settings = {{"llm.providers", "a, b"},
                                    {"llm.provider.a.type", "echo"},
                                    {"llm.provider.a.key", "secret:OpenAI"},
                                    {"llm.provider.b.type", "echo"},
                                    {"llm.provider.b.key", "file:" + (places_ / "key").string()}}});
        Finished finished = doctor(daemon);
        assertFailed("llm.provider.a.key: the secret openai of user default is not there", finished);
        ASSERT_CONTAINS("llm.provider.b.key: the key is there", finished.output);
        putSecret(daemon, "openai", "sk-in-the-vault");
        finished = doctor(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
        ASSERT_CONTAINS("llm.provider.a.key: the key is there", finished.output);
        ASSERT_LACKS("sk-in", finished.output + finished.errors);
        // It could not be masked, wherever it came back from.
        writeFile(places_ / "key", "h7-Qz\n");
        // No resolver asks anybody for a name that cannot be.
        const auto at = [&](const std::string& host) {
            return doctor(daemon, {"-Dllm.provider.b.type=openai",
                                   "-Dllm.provider.b.base_url=http://" + host + ":1/v1"});
        };
        finished = at(std::string(64, 'a') + ".invalid");
        assertFailed("has fewer than 8 characters", finished);
        ASSERT_LACKS("h7-Qz", finished.output + finished.errors);
        ASSERT_LACKS("fewer than 8", at("localhost").output);
        // Nor in the vault.
        putSecret(daemon, "short", "Kx4-w");
        finished =
            doctor(daemon, {"-Dllm.provider.a.type=openai", "-Dllm.provider.a.key=secret:short",
                            "-Dllm.provider.a.base_url=http://" + std::string(64, 'a') + ".invalid:1/v1"});
        assertFailed("the secret short of user default cannot be used: it has fewer than 8 characters",
                     finished);
        ASSERT_LACKS("Kx4-w", finished.output + finished.errors);
        writeFile(places_ / "key", "\n");
        assertFailed("llm.provider.b.key: " + (places_ / "key").string() + " is empty", doctor(daemon));
        std::filesystem::remove(places_ / "key");
        assertFailed("cannot be read by", doctor(daemon));
    }

    void testKeyInTheDaemonsEnvironment() {
        Daemon daemon({.settings = {{"llm.providers", "a"},
                                    {"llm.provider.a.type", "echo"},
                                    {"llm.provider.a.key", "env:PROVIDER_KEY"}},
                       .environment = {{"PROVIDER_KEY", "sk-in-the-environment"}}});
        const Finished finished = doctor(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
        ASSERT_LACKS("sk-in", finished.output + finished.errors);
        if (::geteuid() == 0) {
            ASSERT_CONTAINS("llm.provider.a.key: the key is there", finished.output);
            assertFailed("the daemon's environment has no OTHER_KEY",
                         doctor(daemon, {"-Dllm.provider.a.key=env:OTHER_KEY"}));
        }
    }

    void testUnreachableUpstream() {
        const RefusingPort refusing;
        const DeafPort deaf;
        const UnreachablePort unreachable;
        Daemon daemon({.settings = providers({{"refusing", refusing.url()},
                                              {"deaf", deaf.url("https")},
                                              {"unreachable", unreachable.url()},
                                              {"nameless", "https://llm.invalid/v1"}})});
        const Finished finished = doctor(daemon, {"-Dllm.timeout.connect=500ms"});
        for (const std::string name : {"refusing", "deaf", "unreachable", "nameless"}) {
            assertFailed("upstream       " + name + " (", finished);
        }
        ASSERT_CONTAINS("llm.provider.refusing.base_url is right", finished.output);
        ASSERT_CONTAINS("nameless (https://llm.invalid/v1): llm.invalid: ", finished.output);
        ASSERT_CONTAINS("llm.provider.nameless.base_url is right and that this machine can look names up",
                        finished.output);
        ASSERT_CONTAINS("4 failures", finished.output);
    }

    void testUpstreamsCertificate() {
        const CertificateAuthority authority;
        writeFile(places_ / "ca.pem", authority.certificate());
        writeFile(places_ / "no.pem", "");
        const FakeUpstream good(authority.issue("127.0.0.1"));
        const FakeUpstream other(authority.issue("other.example"));
        const FakeUpstream old(authority.issue("127.0.0.1", false));
        auto settings = providers({{"good", good.url()}, {"other", other.url()}, {"old", old.url()}});
        for (const std::string name : {"good", "other", "old"}) {
            settings["llm.provider." + name + ".ca_file"] = (places_ / "ca.pem").string();
        }
        Daemon daemon({.settings = settings});
        const Finished finished = doctor(daemon);
        ASSERT_CONTAINS("good (" + good.url() + ") can be reached", finished.output);
        assertFailed("other (" + other.url() + "): ", finished);
        assertFailed("old (" + old.url() + "): ", finished);
        ASSERT_CONTAINS("it is not shown to be who it should be", finished.output);
        ASSERT_CONTAINS("2 failures", finished.output);
        assertFailed("good (" + good.url() + "): ", doctor(daemon, {"-Dllm.provider.good.ca_file="}));
        assertFailed("llm.provider.good.ca_file be a readable file",
                     doctor(daemon, {"-Dllm.provider.good.ca_file=" + (places_ / "no.pem").string()}));
        // Nothing was asked for that could cost money.
        CPPUNIT_ASSERT(good.requests().empty() && other.requests().empty());
    }

    void testUpstreamBehindAProxy() {
        const FakeUpstream provider;
        const RefusingPort proxy;
        auto settings = providers({{"main", provider.url()}});
        settings["llm.provider.main.proxy"] = proxy.url();
        Daemon daemon({.settings = settings});
        assertFailed("upstream       main (", doctor(daemon));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, provider.connections());
        const Finished direct = doctor(daemon, {"-Dllm.provider.main.proxy="});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(direct.describe(), 0, direct.status);
    }

    void testOfflineAsksNobody() {
        const FakeUpstream provider;
        Daemon daemon({.settings = providers({{"main", provider.url()}})});
        const Finished finished = doctor(daemon, {"--offline"});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
        ASSERT_LACKS("upstream", finished.output);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, provider.connections());
    }

    /// What is wrong for that user is wrong, whatever root may do.
    void testRootGoesOnAsTheDaemonsUser() {
        if (skippedUnlessRoot()) {
            return;
        }
        const auto data = places_ / "data";
        std::filesystem::create_directory(data);
        std::filesystem::permissions(places_.path(), std::filesystem::perms(0711));
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(data.c_str(), 0700));
        CPPUNIT_ASSERT_EQUAL(0, ::chown(data.c_str(), nobody, nobody));
        const auto configuration = places_ / "sallyport.properties";
        writeFile(configuration, "data.dir = " + data.string() + "\n");
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(configuration.c_str(), 0600));
        const Finished finished = run({.program = SALLYPORT_CLI_PATH,
                                       .arguments = {"doctor", "--config", configuration.string(),
                                                     "-Dplugins.dir=" SALLYPORT_PLUGIN_PATH}});
        ASSERT_CONTAINS("run as root; goes on as nobody, who owns " + data.string(), finished.output);
        assertFailed(configuration.string() + " cannot be read by nobody: run chmod a+r", finished);
    }

    void testAnotherUserIsTold() {
        if (skippedUnlessRoot()) {
            return;
        }
        Daemon daemon;
        std::filesystem::permissions(daemon.directory(), std::filesystem::perms(0711));
        std::vector<std::string> words{"--reuid=65534", "--regid=65534", "--clear-groups", SALLYPORT_CLI_PATH,
                                       "doctor"};
        const std::vector<std::string> given = daemon.command().arguments;
        words.insert(words.end(), given.begin(), given.end());
        words.push_back("-Dworker.listen=127.0.0.1:" + std::to_string(daemon.worker().port()));
        const Finished finished = run({.program = "/usr/bin/setpriv", .arguments = words});
        if (finished.status == 127 || finished.errors.find("setpriv") != std::string::npos) {
            std::cerr << "skipped: another user cannot reach this build\n";
            return;
        }
        ASSERT_CONTAINS("run as nobody and not as root, who owns", finished.output);
        ASSERT_CONTAINS("cannot be seen as nobody", finished.output);
        ASSERT_CONTAINS("answers at " + daemon.worker().address(), finished.output);
        ASSERT_LACKS("FAILED", finished.output);
    }

private:
    static constexpr uid_t nobody = 65534;

    static bool skippedUnlessRoot() {
        if (::geteuid() != 0) {
            std::cerr << "skipped: only root can be another user\n";
        }
        return ::geteuid() != 0;
    }

    static std::map<std::string, std::string> providers(const std::map<std::string, std::string>& urls) {
        std::map<std::string, std::string> settings;
        for (const auto& [name, url] : urls) {
            settings["llm.providers"] += (settings["llm.providers"].empty() ? "" : ", ") + name;
            settings["llm.provider." + name + ".type"] = "openai";
            settings["llm.provider." + name + ".base_url"] = url;
        }
        return settings;
    }

    static void putSecret(const Daemon& daemon, const std::string& name, const std::string& value) {
        Client admin = operatorClient(daemon);
        const Response response = admin.put("/secrets/" + name, R"({"value":")" + value + "\"}");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), 201, response.status);
    }

    static void changeDatabase(const Daemon& daemon, const char* sql) {
        sqlite3* opened = nullptr;
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK,
                             sqlite3_open((daemon.dataDirectory() / "sallyport.db").c_str(), &opened));
        const std::unique_ptr<sqlite3, int (*)(sqlite3*)> database(opened, sqlite3_close);
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, sqlite3_exec(opened, sql, nullptr, nullptr, nullptr));
    }

    TemporaryDirectory places_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(DoctorTest);

}  // namespace sallyport::tests
