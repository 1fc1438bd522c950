#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>
#include <sallyport/testing/fake_host.h>

#include "plugins/credentials/credentials_plugin.h"
#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::plugins {
namespace {

using Scope = Examination::Scope;
using testing::describe;
using testing::ExaminationOptions;
using testing::FakeHost;

/// What the plugin finds when it looks itself over.
class SelfExaminationTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SelfExaminationTest);
    CPPUNIT_TEST(testBeforeTheFirstStart);
    CPPUNIT_TEST(testAllIsWell);
    CPPUNIT_TEST(testKeyIsMissing);
    CPPUNIT_TEST(testKeyIsWrong);
    CPPUNIT_TEST(testKeyIsNone);
    CPPUNIT_TEST(testOthersCanReadTheKey);
    CPPUNIT_TEST(testKeyFromElsewhere);
    CPPUNIT_TEST(testKeyThatIsBeingChanged);
    CPPUNIT_TEST(testKeyThatMayComeFromSystemd);
    CPPUNIT_TEST(testSecretsThatAreDamaged);
    CPPUNIT_TEST(testWhatTheDaemonSays);
    CPPUNIT_TEST(testTrail);
    CPPUNIT_TEST(testScopes);
    CPPUNIT_TEST(testOtherUsersAreToldNothing);
    CPPUNIT_TEST(testSettings);
    CPPUNIT_TEST(testVault);
    CPPUNIT_TEST(testNothingIsChanged);
    CPPUNIT_TEST_SUITE_END();

    FakeHost host_{"credentials", credentialsSettings, {{"credentials.plugin.other.secrets", "other"}}};
    const std::string keyFile_ = host_.dataDirectory() + "/credentials.key";

public:
    void setUp() override {
        ::unsetenv("CREDENTIALS_DIRECTORY");
        ::unsetenv("SALLYPORT_MASTER_KEY");
    }

private:
    /// Two secrets, under a key in the file.
    void store() {
        host_.start(std::make_unique<CredentialsPlugin>());
        for (const char* name : {"one", "two"}) {
            CPPUNIT_ASSERT_EQUAL(201,
                                 host_
                                     .operators("alice", Role::user, "PUT", std::string("/secrets/") + name,
                                                R"({"value":"a value"})")
                                     .status());
        }
    }

    static std::vector<Finding> examined(FakeHost& host, const ExaminationOptions& options) {
        return host.examine(std::make_unique<CredentialsPlugin>(), options);
    }

    /// The findings, a line each.
    std::string found(const ExaminationOptions& options = {}) {
        std::string text;
        for (const Finding& finding : examined(host_, options)) {
            text += describe(finding) + "\n";
        }
        return text;
    }

    void testBeforeTheFirstStart() {
        CPPUNIT_ASSERT_EQUAL(
            "ok keys: there is no master key yet; the first start makes one in " + keyFile_ + "\n",
            found({.store = false}));
        CPPUNIT_ASSERT_EQUAL(
            "ok keys: there is no master key yet; the first start makes one in " + keyFile_ + "\n", found());
        ASSERT_CONTAINS(
            "ok keys: the master key in the environment variable SALLYPORT_MASTER_KEY will be used\n",
            found({.variables = {{"SALLYPORT_MASTER_KEY", std::string(32, 'k')}}}));
    }

    void testAllIsWell() {
        store();
        CPPUNIT_ASSERT_EQUAL(
            "ok audit: the audit trail ends where it was noted\nok keys: the master key in " + keyFile_ +
                " is the right one\nok keys: all 2 secrets can be decrypted\n",
            found());
    }

    void testKeyIsMissing() {
        store();
        std::filesystem::remove(keyFile_);
        ASSERT_CONTAINS(
            "failed keys: there is no master key, and the secrets are encrypted with one: put it back into " +
                keyFile_,
            found());
    }

    void testKeyIsWrong() {
        store();
        tests::writeFile(keyFile_, std::string(64, 'f'));
        const std::string all = found();
        ASSERT_CONTAINS("failed keys: the master key in " + keyFile_ +
                            " is not the one that the secrets were encrypted with",
                        all);
        ASSERT_LACKS("decrypted", all);
    }

    void testKeyIsNone() {
        store();
        tests::writeFile(keyFile_, "short");
        ASSERT_CONTAINS(
            "failed keys: the master key file " + keyFile_ + " has 5 bytes, and needs at least 32", found());
    }

    void testOthersCanReadTheKey() {
        store();
        std::filesystem::permissions(keyFile_, std::filesystem::perms(0644));
        // Whatever a running daemon has read before.
        for (const auto& running :
             {std::optional<Examination::Running>(), std::optional(Examination::Running())}) {
            const std::string all = found({.running = running});
            ASSERT_CONTAINS("failed keys: the master key file " + keyFile_ + " has mode 0644", all);
            ASSERT_CONTAINS("sallyport secret rekey", all);
        }
    }

    void testKeyFromElsewhere() {
        store();
        const std::string key = tests::readFile(keyFile_);
        std::filesystem::remove(keyFile_);
        const std::string right = "is the right one\nok keys: all 2 secrets can be decrypted\n";
        ASSERT_CONTAINS("the systemd credential sallyport-master-key " + right,
                        found({.credentials = {{"sallyport-master-key", key}}}));
        ASSERT_CONTAINS("the environment variable SALLYPORT_MASTER_KEY " + right,
                        found({.variables = {{"SALLYPORT_MASTER_KEY", key}}}));
        ASSERT_CONTAINS(
            "failed keys: the master key in the systemd credential sallyport-master-key is not the one",
            found({.credentials = {{"sallyport-master-key", std::string(64, 'f')}},
                   .variables = {{"SALLYPORT_MASTER_KEY", key}}}));
    }

    void testKeyThatIsBeingChanged() {
        store();
        const std::string key = tests::readFile(keyFile_);
        tests::writeFile(keyFile_, std::string(64, 'f'));
        tests::writeFile(keyFile_ + ".new", key);
        std::filesystem::permissions(keyFile_ + ".new", std::filesystem::perms(0600));
        ASSERT_CONTAINS("ok keys: the master key in " + keyFile_ + ".new is the right one", found());
        CPPUNIT_ASSERT(std::filesystem::exists(keyFile_ + ".new"));
    }

    void testKeyThatMayComeFromSystemd() {
        store();
        std::filesystem::remove(keyFile_);
        const std::string all = found({.unseen = {"sallyport-master-key"}});
        ASSERT_CONTAINS("warning keys: there is no master key", all);
        ASSERT_CONTAINS("systemd may hand over the right one", all);
    }

    void testSecretsThatAreDamaged() {
        store();
        host_.store().write([](Transaction& transaction) {
            transaction.execute("UPDATE secrets SET encrypted_value = zeroblob(40) WHERE name = 'two'");
        });
        ASSERT_CONTAINS("failed keys: 1 of 2 secrets cannot be decrypted (two of user alice)", found());
        host_.store().write([](Transaction& transaction) {
            for (int i = 0; i < 150; ++i) {
                transaction.execute(
                    "INSERT INTO secrets (user_id, name, encrypted_value, key_salt, usage_count, created_at, "
                    "updated_at) SELECT user_id, ?, encrypted_value, key_salt, 0, 0, 0 FROM secrets WHERE "
                    "name = 'two'",
                    {"s" + std::to_string(i)});
            }
        });
        ASSERT_CONTAINS(
            "151 of 152 secrets cannot be decrypted (two of user alice, s0 of user alice, s1 of user "
            "alice, …)",
            found());
    }

    void testWhatTheDaemonSays() {
        store();
        std::filesystem::remove(keyFile_);
        ASSERT_CONTAINS("ok keys: the daemon has the master key\n",
                        found({.running = Examination::Running{}}));
        ASSERT_CONTAINS("failed keys: credentials: it is sealed\n",
                        found({.running = Examination::Running{"it is sealed"}}));
    }

    void testTrail() {
        store();
        const std::string anchor = host_.dataDirectory() + "/credentials.audit-head";
        std::filesystem::rename(anchor, anchor + ".away");
        ASSERT_CONTAINS("warning audit: " + anchor + " is missing", found());
        std::filesystem::rename(anchor + ".away", anchor);
        host_.store().write([](Transaction& transaction) {
            transaction.execute("DELETE FROM audit_log");
            transaction.execute("DELETE FROM audit_log_head");
        });
        ASSERT_CONTAINS("failed audit: the audit trail is not as it was left: the trail has been cut",
                        found());
    }

    void testScopes() {
        store();
        CPPUNIT_ASSERT_EQUAL(std::string(), found({.scope = Scope::configuration}));
        CPPUNIT_ASSERT_EQUAL("ok keys: the master key in " + keyFile_ + " is the right one\n",
                             found({.scope = Scope::restored}));
    }

    void testOtherUsersAreToldNothing() {
        store();
        CPPUNIT_ASSERT_EQUAL(std::string(), found({.daemonsRights = false}));
    }

    void testSettings() {
        FakeHost host("credentials", credentialsSettings, {{"credentials.plugin.llm.secrets", "no name"}});
        const auto findings = examined(host, {.scope = Scope::configuration});
        CPPUNIT_ASSERT_EQUAL(std::string("configuration"), findings.at(0).check);
        CPPUNIT_ASSERT(findings.at(0).verdict == Verdict::failed);
        ASSERT_CONTAINS("credentials.plugin.llm.secrets", findings.at(0).sentence);
        ASSERT_CONTAINS("; the plugin credentials does not start with that", findings.at(0).sentence);
    }

    /// What looking for a secret comes to: its value, or the code of a refusal.
    std::string revealed(const std::string& plugin, const std::string& name,
                         ExaminationOptions options = {}) {
        std::string result;
        options.then = [&](Examination& examination) {
            try {
                const SecretText value = examination.find<SecretVault>()->reveal(plugin, "alice", name);
                result = value.reveal();
            } catch (const RequestError& refusal) {
                result = refusal.code();
            }
        };
        static_cast<void>(examined(host_, options));
        return result;
    }

    void testVault() {
        CPPUNIT_ASSERT_EQUAL(std::string("secret_missing"), revealed("llm", "one", {.store = false}));
        CPPUNIT_ASSERT_EQUAL(std::string("secret_missing"), revealed("llm", "one"));
        store();
        CPPUNIT_ASSERT_EQUAL(std::string("a value"), revealed("llm", "ONE"));
        CPPUNIT_ASSERT_EQUAL(std::string("secret_missing"), revealed("llm", "three"));
        CPPUNIT_ASSERT_EQUAL(std::string("secret_not_allowed"), revealed("other", "one"));
        host_.store().write([](Transaction& transaction) {
            transaction.execute("UPDATE secrets SET expires_at = 1 WHERE name = 'one'");
            transaction.execute("UPDATE secrets SET encrypted_value = zeroblob(40) WHERE name = 'two'");
        });
        CPPUNIT_ASSERT_EQUAL(std::string("secret_expired"), revealed("llm", "one"));
        CPPUNIT_ASSERT_EQUAL(std::string("secret_damaged"), revealed("llm", "two"));
        std::filesystem::remove(keyFile_);
        CPPUNIT_ASSERT_EQUAL(std::string("vault_sealed"), revealed("llm", "two"));
        CPPUNIT_ASSERT_EQUAL(std::string("secret_missing"), revealed("llm", "three"));
    }

    void testNothingIsChanged() {
        store();
        const std::int64_t entries = host_.number("SELECT count(*) FROM audit_log");
        CPPUNIT_ASSERT_EQUAL(std::string("a value"), revealed("llm", "one"));
        CPPUNIT_ASSERT_EQUAL(entries, host_.number("SELECT count(*) FROM audit_log"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT sum(usage_count) FROM secrets"));
        // A start would take it out of the environment.
        CPPUNIT_ASSERT_EQUAL(0, ::setenv("SALLYPORT_MASTER_KEY", "x", 1));
        static_cast<void>(found());
        CPPUNIT_ASSERT(std::getenv("SALLYPORT_MASTER_KEY") != nullptr);
        ::unsetenv("SALLYPORT_MASTER_KEY");
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SelfExaminationTest);

}  // namespace
}  // namespace sallyport::plugins
