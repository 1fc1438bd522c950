#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/fake_host.h>

#include "plugins/credentials/credentials_plugin.h"
#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::plugins {
namespace {

using testing::Answer;
using testing::FakeHost;

/// Where the master key comes from, and how it is changed.
class RekeyTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RekeyTest);
    CPPUNIT_TEST(testFirstStartMakesAKey);
    CPPUNIT_TEST(testGivenKeyIsTaken);
    CPPUNIT_TEST(testOrderOfSources);
    CPPUNIT_TEST(testLostKeyIsNotReplaced);
    CPPUNIT_TEST(testOtherKeyIsRefused);
    CPPUNIT_TEST(testUnusableFilesAreRefused);
    CPPUNIT_TEST(testKeyComesBack);
    CPPUNIT_TEST(testRekey);
    CPPUNIT_TEST(testRekeyOfManySecrets);
    CPPUNIT_TEST(testRekeyIsAudited);
    CPPUNIT_TEST(testKeyThatIsNotInAFile);
    CPPUNIT_TEST(testDamagedSecretStopsIt);
    CPPUNIT_TEST(testFileThatCannotBeWritten);
    CPPUNIT_TEST(testFailedTransactionKeepsTheOldKey);
    CPPUNIT_TEST(testCrashBeforeTheTransaction);
    CPPUNIT_TEST(testCrashAfterTheTransaction);
    CPPUNIT_TEST(testFileThatCannotBeRenamed);
    CPPUNIT_TEST_SUITE_END();

    FakeHost host_{"credentials", credentialsSettings};
    CreatedJob job_ = host_.makeJob();
    const std::string keyFile_ = host_.dataDirectory() + "/credentials.key";
    const std::string nextFile_ = keyFile_ + ".new";

public:
    void setUp() override {
        ::unsetenv("CREDENTIALS_DIRECTORY");
        ::unsetenv("SALLYPORT_MASTER_KEY");
    }

private:
    void start() { host_.start(std::make_unique<CredentialsPlugin>()); }

    Answer admin(const std::string& method, const std::string& path, const std::string& body = "") {
        return host_.operators("root", Role::admin, method, path, body);
    }
    Answer rekey() { return admin("POST", "/vault/rekey"); }

    void storeSecret() {
        CPPUNIT_ASSERT_EQUAL(201,
                             admin("PUT", "/secrets/s", R"({"value":"kept","user_id":"alice"})").status());
        CPPUNIT_ASSERT_EQUAL(200, admin("PUT", "/jobs/" + job_.job->id.str() + "/credentials",
                                        R"({"credentials":[{"secret_name":"s","env_var":"S"}]})")
                                      .status());
    }
    Answer deliver() { return host_.worker(job_, "GET", "/credentials"); }
    void assertDelivers() {
        const Answer answer = deliver();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(answer.body(), 200, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string(R"([{"env_var":"S","value":"kept"}])"), answer.body());
    }
    void assertSealed(const std::string& reason) {
        CPPUNIT_ASSERT_EQUAL(503, deliver().status());
        ASSERT_CONTAINS(reason, host_.plugin().trouble().value_or("no trouble"));
    }

    static void writeKey(const std::string& file, const std::string& key) {
        tests::writeFile(file, key);
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(file.c_str(), 0600));
    }
    [[nodiscard]] std::string key() const { return tests::readFile(keyFile_); }

    void testFirstStartMakesAKey() {
        start();
        CPPUNIT_ASSERT(!host_.plugin().trouble());
        CPPUNIT_ASSERT_EQUAL(std::size_t{65}, key().size());
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat(keyFile_.c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, status.st_mode & 07777U);
        CPPUNIT_ASSERT(!std::filesystem::exists(nextFile_));
        storeSecret();
        const std::string before = key();
        start();
        CPPUNIT_ASSERT_EQUAL(before, key());
        assertDelivers();
    }

    void testGivenKeyIsTaken() {
        writeKey(keyFile_, std::string(32, 'k'));
        start();
        storeSecret();
        CPPUNIT_ASSERT_EQUAL(std::string(32, 'k'), key());
        start();
        assertDelivers();
    }

    void testOrderOfSources() {
        const std::string credential = host_.dataDirectory() + "/sallyport-master-key";
        ::setenv("SALLYPORT_MASTER_KEY", std::string(40, 'e').c_str(), 1);
        start();
        storeSecret();
        CPPUNIT_ASSERT(!std::filesystem::exists(keyFile_));
        CPPUNIT_ASSERT(std::getenv("SALLYPORT_MASTER_KEY") == nullptr);
        // A file goes before the environment, and systemd's credential before both.
        writeKey(keyFile_, std::string(40, 'f'));
        ::setenv("SALLYPORT_MASTER_KEY", std::string(40, 'e').c_str(), 1);
        start();
        assertSealed(keyFile_);
        CPPUNIT_ASSERT(std::getenv("SALLYPORT_MASTER_KEY") == nullptr);
        ::setenv("CREDENTIALS_DIRECTORY", host_.dataDirectory().c_str(), 1);
        tests::writeFile(credential, std::string(40, 'e'));
        start();
        assertDelivers();
        tests::writeFile(credential, std::string(40, 's'));
        start();
        assertSealed("systemd credential");
        ::unsetenv("CREDENTIALS_DIRECTORY");
    }

    void testLostKeyIsNotReplaced() {
        start();
        storeSecret();
        const std::string lost = key();
        std::filesystem::remove(keyFile_);
        start();
        assertSealed("put it back into " + keyFile_);
        CPPUNIT_ASSERT(!std::filesystem::exists(keyFile_));
        writeKey(keyFile_, lost);
        start();
        assertDelivers();
    }

    void testOtherKeyIsRefused() {
        start();
        storeSecret();
        writeKey(keyFile_, std::string(64, '0'));
        start();
        assertSealed("is not the one that the stored secrets were encrypted with");
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, host_.log().count(LogLevel::error) - 1);
        CPPUNIT_ASSERT_EQUAL(std::string(64, '0'), key());
    }

    void testUnusableFilesAreRefused() {
        start();
        storeSecret();
        const std::string good = key();
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(keyFile_.c_str(), 0644));
        start();
        assertSealed("chmod 600");
        writeKey(keyFile_, "short");
        start();
        assertSealed("5 bytes");
        writeKey(keyFile_, good);
        start();
        assertDelivers();
    }

    void testKeyComesBack() {
        start();
        storeSecret();
        const std::string good = key();
        writeKey(keyFile_, std::string(64, '0'));
        start();
        assertSealed("not the one");
        writeKey(keyFile_, good);
        start();
        CPPUNIT_ASSERT(!host_.plugin().trouble());
        assertDelivers();
    }

    void testRekey() {
        start();
        storeSecret();
        const std::string before = key();
        const std::string row = host_.store().query("SELECT hex(encrypted_value) FROM secrets").at(0).text(0);
        const Answer answer = rekey();
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"status":"rekeyed","secrets":1})"), answer.body());
        CPPUNIT_ASSERT(key() != before);
        CPPUNIT_ASSERT_EQUAL(std::size_t{65}, key().size());
        CPPUNIT_ASSERT(!std::filesystem::exists(nextFile_));
        CPPUNIT_ASSERT(row != host_.store().query("SELECT hex(encrypted_value) FROM secrets").at(0).text(0));
        assertDelivers();
        start();
        assertDelivers();
        writeKey(keyFile_, before);
        start();
        assertSealed("not the one");
    }

    void testRekeyOfManySecrets() {
        start();
        storeSecret();
        for (int i = 0; i < 250; ++i) {
            admin("PUT", "/secrets/many" + std::to_string(i), R"({"value":"v"})");
        }
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"status":"rekeyed","secrets":251})"), rekey().body());
        // All of them can be read with the new key.
        CPPUNIT_ASSERT_EQUAL(200, rekey().status());
        assertDelivers();
    }

    void testRekeyIsAudited() {
        start();
        rekey();
        const Rows rows = host_.store().query("SELECT action, outcome, actor FROM audit_log ORDER BY number");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, rows.size());
        CPPUNIT_ASSERT_EQUAL(std::string("begun"), rows[0].text(1));
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), rows[1].text(1));
        CPPUNIT_ASSERT_EQUAL(std::string("operator:root"), rows[1].text(2));
    }

    void testKeyThatIsNotInAFile() {
        ::setenv("SALLYPORT_MASTER_KEY", std::string(40, 'e').c_str(), 1);
        start();
        storeSecret();
        const Answer answer = rekey();
        CPPUNIT_ASSERT_EQUAL(409, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string("key_not_in_file"), answer.code());
        ASSERT_CONTAINS("credentials.master_key_file", answer.message());
        ASSERT_LACKS(host_.dataDirectory(), answer.message());
        assertDelivers();
        // Doing what it says helps.
        writeKey(keyFile_, std::string(40, 'e'));
        start();
        CPPUNIT_ASSERT_EQUAL(200, rekey().status());
        assertDelivers();
    }

    void testDamagedSecretStopsIt() {
        start();
        storeSecret();
        admin("PUT", "/secrets/bad", R"({"value":"v"})");
        host_.store().write([](Transaction& transaction) {
            transaction.execute("UPDATE secrets SET key_salt = zeroblob(32) WHERE name = 'bad'");
        });
        const std::string before = key();
        const Answer answer = rekey();
        CPPUNIT_ASSERT_EQUAL(409, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string("secret_damaged"), answer.code());
        ASSERT_CONTAINS("bad of user default", answer.message());
        CPPUNIT_ASSERT_EQUAL(before, key());
        assertDelivers();
        CPPUNIT_ASSERT_EQUAL(200, admin("DELETE", "/secrets/bad").status());
        CPPUNIT_ASSERT_EQUAL(200, rekey().status());
        start();
        assertDelivers();
    }

    void testFileThatCannotBeWritten() {
        start();
        storeSecret();
        std::filesystem::create_directories(nextFile_ + "/in the way");
        const Answer answer = rekey();
        CPPUNIT_ASSERT_EQUAL(503, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string("key_file_unwritable"), answer.code());
        ASSERT_LACKS(host_.dataDirectory(), answer.message());
        assertDelivers();
        std::filesystem::remove_all(nextFile_);
        CPPUNIT_ASSERT_EQUAL(200, rekey().status());
        assertDelivers();
    }

    void testFailedTransactionKeepsTheOldKey() {
        start();
        storeSecret();
        const std::string before = key();
        host_.store().write([](Transaction& transaction) {
            transaction.execute(
                "CREATE TRIGGER full BEFORE UPDATE OF key_salt ON secrets"
                " BEGIN SELECT raise(ABORT, 'the disk is full'); END");
        });
        CPPUNIT_ASSERT_EQUAL(503, rekey().status());
        CPPUNIT_ASSERT_EQUAL(before, key());
        assertDelivers();
        host_.crash();
        start();
        CPPUNIT_ASSERT_EQUAL(before, key());
        CPPUNIT_ASSERT(!std::filesystem::exists(nextFile_));
        assertDelivers();
    }

    /// The new key is on the disk, and the database knows nothing of it.
    void testCrashBeforeTheTransaction() {
        start();
        storeSecret();
        const std::string before = key();
        for (const std::string& left : {std::string(64, '1') + "\n", std::string("half"), std::string()}) {
            host_.crash();
            writeKey(nextFile_, left);
            start();
            CPPUNIT_ASSERT_EQUAL(before, key());
            CPPUNIT_ASSERT(!std::filesystem::exists(nextFile_));
            assertDelivers();
        }
    }

    /// The database is encrypted with the new key, and the file of the old one is still in place.
    void testCrashAfterTheTransaction() {
        start();
        storeSecret();
        const std::string before = key();
        rekey();
        const std::string after = key();
        for (const bool oldIsThere : {true, false}) {
            host_.crash();
            writeKey(nextFile_, after);
            std::filesystem::remove(keyFile_);
            if (oldIsThere) {
                writeKey(keyFile_, before);
            }
            start();
            CPPUNIT_ASSERT_EQUAL(after, key());
            CPPUNIT_ASSERT(!std::filesystem::exists(nextFile_));
            CPPUNIT_ASSERT(!host_.plugin().trouble());
            assertDelivers();
        }
    }

    /// The key in force must not be lost when another change follows.
    void testFileThatCannotBeRenamed() {
        start();
        storeSecret();
        std::filesystem::remove(keyFile_);
        std::filesystem::create_directories(keyFile_ + "/in the way");
        CPPUNIT_ASSERT_EQUAL(200, rekey().status());
        ASSERT_CONTAINS(nextFile_, host_.plugin().trouble().value());
        assertDelivers();
        const std::string inForce = tests::readFile(nextFile_);
        CPPUNIT_ASSERT_EQUAL(503, rekey().status());
        CPPUNIT_ASSERT_EQUAL(inForce, tests::readFile(nextFile_));
        host_.crash();
        std::filesystem::remove_all(keyFile_);
        start();
        CPPUNIT_ASSERT_EQUAL(inForce, key());
        CPPUNIT_ASSERT(!host_.plugin().trouble());
        assertDelivers();
        CPPUNIT_ASSERT_EQUAL(200, rekey().status());
        assertDelivers();
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RekeyTest);

}  // namespace
}  // namespace sallyport::plugins
