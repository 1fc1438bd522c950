#include "host/auth/operators.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>

#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/auth/database_fixture.h"

namespace sallyport::host::auth {
namespace {

using tests::readFile;
using tests::TemporaryDirectory;
using tests::TestStore;
using tests::writeFile;

class OperatorsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OperatorsTest);
    CPPUNIT_TEST(testCreateAndFind);
    CPPUNIT_TEST(testSecretIsNotStored);
    CPPUNIT_TEST(testSurvivesRestart);
    CPPUNIT_TEST(testRevoke);
    CPPUNIT_TEST(testRevocationIsToldOf);
    CPPUNIT_TEST(testReplacedLocalTokenIsToldOf);
    CPPUNIT_TEST(testIdsAreNeverReused);
    CPPUNIT_TEST(testLastAdminStays);
    CPPUNIT_TEST(testFailedWritesChangeNothing);
    CPPUNIT_TEST(testRevocationHoldsThoughTheDiskTakesNothing);
    CPPUNIT_TEST(testRevocationThatIsNotedOutlastsACrash);
    CPPUNIT_TEST(testUnknownRoleInDatabase);
    CPPUNIT_TEST(testRevokeWhileOthersLookUp);
    CPPUNIT_TEST(testAdminsRevokedAtOnce);
    CPPUNIT_TEST(testLocalTokenAtFirstStart);
    CPPUNIT_TEST(testLocalTokenIsKept);
    CPPUNIT_TEST(testLocalTokenWhenDeleted);
    CPPUNIT_TEST(testLocalTokenWhenRevoked);
    CPPUNIT_TEST(testLocalTokenOfOthersStays);
    CPPUNIT_TEST(testLocalTokenIsAdopted);
    CPPUNIT_TEST(testLocalTokenAfterCrash);
    CPPUNIT_TEST(testLocalTokenReadableByOthers);
    CPPUNIT_TEST(testLocalTokenOfOtherOwner);
    CPPUNIT_TEST(testLocalTokenThatIsLink);
    CPPUNIT_TEST(testLocalTokenThatIsDirectory);
    CPPUNIT_TEST(testLocalTokenThatIsNone);
    CPPUNIT_TEST(testLocalTokenThatIsNoAdmins);
    CPPUNIT_TEST(testLocalTokenThatCannotBeWritten);
    CPPUNIT_TEST_SUITE_END();

    TemporaryDirectory directory_;
    std::unique_ptr<TestStore> store_ = openStore();
    std::unique_ptr<Operators> operators_ = std::make_unique<Operators>(*store_);
    const std::string file_ = (directory_ / "operator.token").string();

    [[nodiscard]] std::unique_ptr<TestStore> openStore() const {
        return std::make_unique<TestStore>((directory_ / "sallyport.db").string());
    }

    void restart() {
        operators_.reset();
        store_.reset();
        store_ = openStore();
        operators_ = std::make_unique<Operators>(*store_);
    }

    [[nodiscard]] std::optional<OperatorToken> find(std::string_view secret) const {
        return operators_->find(digest(secret));
    }

    [[nodiscard]] std::string tokenInFile() const {
        const std::string text = readFile(file_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{65}, text.size());
        CPPUNIT_ASSERT_EQUAL('\n', text.back());
        return text.substr(0, 64);
    }

    void putTokenFile(const std::string& text, mode_t mode = 0600) const {
        writeFile(file_, text);
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(file_.c_str(), mode));
    }

    /// The sentence with which ensureLocalToken refuses the file, which names it.
    [[nodiscard]] std::string refusal() const {
        try {
            operators_->ensureLocalToken(file_);
        } catch (const std::runtime_error& problem) {
            ASSERT_CONTAINS(file_, problem.what());
            return problem.what();
        }
        CPPUNIT_FAIL("accepted");
        return {};
    }

    void testCreateAndFind() {
        const auto made = operators_->create("laptop", "alice", Role::user);
        CPPUNIT_ASSERT_EQUAL(std::size_t{64}, made.secret.size());
        const auto found = find(made.secret);
        CPPUNIT_ASSERT(found);
        CPPUNIT_ASSERT_EQUAL(made.token.id, found->id);
        CPPUNIT_ASSERT_EQUAL(std::string("laptop"), found->name);
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), found->user);
        CPPUNIT_ASSERT(found->role == Role::user);
        CPPUNIT_ASSERT(!find(newToken()));
    }

    void testSecretIsNotStored() {
        const auto made = operators_->create("laptop", "alice", Role::user);
        const auto rows = store_->query("SELECT * FROM operator_tokens");
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rows.size());
        for (std::size_t column = 0; column < 7; ++column) {
            ASSERT_LACKS(made.secret, rows[0].text(column));
        }
        CPPUNIT_ASSERT_EQUAL(hex(digest(made.secret)), rows[0].text(4));
    }

    void testSurvivesRestart() {
        const auto first = operators_->create("a", "alice", Role::viewer);
        const auto second = operators_->create("b", "bob", Role::admin);
        restart();
        const auto tokens = operators_->list();
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, tokens.size());
        CPPUNIT_ASSERT_EQUAL(first.token.id, tokens[0].id);
        CPPUNIT_ASSERT_EQUAL(std::string("bob"), tokens[1].user);
        CPPUNIT_ASSERT(tokens[0].role == Role::viewer);
        CPPUNIT_ASSERT(tokens[0].createdAt == first.token.createdAt);
        CPPUNIT_ASSERT(find(second.secret)->role == Role::admin);
    }

    void testRevoke() {
        const auto kept = operators_->create("kept", "alice", Role::user);
        const auto ended = operators_->create("ended", "alice", Role::user);
        CPPUNIT_ASSERT(operators_->revoke(ended.token.id));
        CPPUNIT_ASSERT(!find(ended.secret));
        CPPUNIT_ASSERT(!operators_->revoke(ended.token.id));
        CPPUNIT_ASSERT(!operators_->revoke(-1));
        restart();
        CPPUNIT_ASSERT(!find(ended.secret));
        CPPUNIT_ASSERT(find(kept.secret));
    }

    void testRevocationIsToldOf() {
        const auto kept = operators_->create("kept", "alice", Role::user);
        const auto ended = operators_->create("ended", "alice", Role::user);
        const auto found = find(ended.secret);
        bool revoked = false;
        operators_->onRevoked([&] {
            revoked = found->lease->revoked;
            CPPUNIT_ASSERT_MESSAGE("others may look meanwhile", !find(ended.secret));
        });
        CPPUNIT_ASSERT(!found->lease->revoked);
        operators_->revoke(ended.token.id);
        CPPUNIT_ASSERT(revoked);
        CPPUNIT_ASSERT(!find(kept.secret)->lease->revoked);
    }

    void testReplacedLocalTokenIsToldOf() {
        operators_->ensureLocalToken(file_);
        const auto found = find(tokenInFile());
        std::filesystem::remove(file_);
        bool revoked = false;
        operators_->onRevoked([&] { revoked = found->lease->revoked; });
        operators_->ensureLocalToken(file_);
        CPPUNIT_ASSERT(revoked);
        CPPUNIT_ASSERT(!find(tokenInFile())->lease->revoked);
    }

    void testIdsAreNeverReused() {
        const auto ended = operators_->create("a", "alice", Role::user);
        operators_->revoke(ended.token.id);
        CPPUNIT_ASSERT(operators_->create("b", "alice", Role::user).token.id > ended.token.id);
    }

    void testLastAdminStays() {
        const auto admin = operators_->create("a", "alice", Role::admin);
        operators_->create("b", "bob", Role::user);
        try {
            operators_->revoke(admin.token.id);
            CPPUNIT_FAIL("revoked");
        } catch (const RequestError& problem) {
            CPPUNIT_ASSERT_EQUAL(409, problem.status());
            CPPUNIT_ASSERT_EQUAL(std::string("last_admin"), problem.code());
        }
        CPPUNIT_ASSERT(find(admin.secret));
        operators_->create("c", "carol", Role::admin);
        CPPUNIT_ASSERT(operators_->revoke(admin.token.id));
    }

    void testFailedWritesChangeNothing() {
        const auto made = operators_->create("a", "alice", Role::user);
        store_->refuseWrites(true);
        CPPUNIT_ASSERT_THROW(operators_->create("b", "alice", Role::user), StoreError);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, operators_->list().size());
        CPPUNIT_ASSERT(find(made.secret));
    }

    void testRevocationHoldsThoughTheDiskTakesNothing() {
        const auto ended = operators_->create("a", "alice", Role::user);
        const auto kept = operators_->create("b", "bob", Role::user);
        store_->refuseWrites(true);
        CPPUNIT_ASSERT(operators_->revoke(ended.token.id));
        CPPUNIT_ASSERT(!find(ended.secret));
        CPPUNIT_ASSERT(find(kept.secret));
        CPPUNIT_ASSERT(!operators_->durable(ended.token.id));
        CPPUNIT_ASSERT(operators_->durable(kept.token.id));
        CPPUNIT_ASSERT(!operators_->revoke(ended.token.id));
        operators_->writeUnwritten();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, operators_->unwritten());
        store_->refuseWrites(false);
        operators_->writeUnwritten();
        CPPUNIT_ASSERT(operators_->durable(ended.token.id));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, operators_->unwritten());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, Operators(*store_).list().size());
    }

    void testRevocationThatIsNotedOutlastsACrash() {
        tests::SilentLog log;
        store::IntentLog intents((directory_ / "intents").string(), log);
        const auto ended = operators_->create("a", "alice", Role::user);
        store_->refuseWrites(true);
        {
            Operators noting(*store_, &intents);
            CPPUNIT_ASSERT(noting.revoke(ended.token.id));
            CPPUNIT_ASSERT(noting.durable(ended.token.id));
        }
        store_->refuseWrites(false);
        Operators next(*store_, &intents);
        CPPUNIT_ASSERT(next.list().empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, next.unwritten());
        next.writeUnwritten();
        CPPUNIT_ASSERT(intents.notes("operator").empty());
        CPPUNIT_ASSERT(Operators(*store_).list().empty());
    }

    void testUnknownRoleInDatabase() {
        operators_->create("a", "alice", Role::user);
        store_->write([](Transaction& transaction) {
            transaction.execute("UPDATE operator_tokens SET role = 'root'");
        });
        CPPUNIT_ASSERT_THROW(Operators{*store_}, StoreError);
    }

    void testRevokeWhileOthersLookUp() {
        for (int round = 0; round < 10; ++round) {
            const auto made = operators_->create("a", "alice", Role::user);
            const Digest presented = digest(made.secret);
            std::atomic<bool> revoked{false};
            std::atomic<bool> seenAfter{false};
            std::thread looking([&] {
                for (bool last = false; !last;) {
                    last = revoked;
                    const bool found = operators_->find(presented).has_value();
                    if (last && found) {
                        seenAfter = true;
                    }
                }
            });
            operators_->revoke(made.token.id);
            revoked = true;
            looking.join();
            CPPUNIT_ASSERT(!seenAfter);
        }
    }

    void testAdminsRevokedAtOnce() {
        const auto first = operators_->create("a", "alice", Role::admin);
        const auto second = operators_->create("b", "bob", Role::admin);
        std::atomic<int> refused{0};
        const auto revoke = [&](std::int64_t id) {
            try {
                operators_->revoke(id);
            } catch (const RequestError&) {
                ++refused;
            }
        };
        std::thread one(revoke, first.token.id);
        std::thread two(revoke, second.token.id);
        one.join();
        two.join();
        CPPUNIT_ASSERT_EQUAL(1, refused.load());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, operators_->list().size());
    }

    void testLocalTokenAtFirstStart() {
        const mode_t before = ::umask(0);
        CPPUNIT_ASSERT(operators_->ensureLocalToken(file_));
        ::umask(before);
        const auto token = find(tokenInFile());
        CPPUNIT_ASSERT(token);
        CPPUNIT_ASSERT_EQUAL(std::string("local"), token->name);
        CPPUNIT_ASSERT_EQUAL(std::string("default"), token->user);
        CPPUNIT_ASSERT(token->role == Role::admin);
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat(file_.c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, status.st_mode & 07777U);
        CPPUNIT_ASSERT(!std::filesystem::exists(file_ + ".new"));
    }

    void testLocalTokenIsKept() {
        operators_->ensureLocalToken(file_);
        const std::string secret = tokenInFile();
        restart();
        CPPUNIT_ASSERT(!operators_->ensureLocalToken(file_));
        CPPUNIT_ASSERT_EQUAL(secret, tokenInFile());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, operators_->list().size());
    }

    void testLocalTokenWhenDeleted() {
        operators_->ensureLocalToken(file_);
        const std::string secret = tokenInFile();
        std::filesystem::remove(file_);
        restart();
        CPPUNIT_ASSERT(operators_->ensureLocalToken(file_));
        CPPUNIT_ASSERT(!find(secret));
        CPPUNIT_ASSERT(find(tokenInFile()));
        restart();
        CPPUNIT_ASSERT(!find(secret));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, operators_->list().size());
    }

    void testLocalTokenWhenRevoked() {
        operators_->ensureLocalToken(file_);
        const std::string secret = tokenInFile();
        operators_->create("other", "alice", Role::admin);
        operators_->revoke(find(secret)->id);
        CPPUNIT_ASSERT(operators_->ensureLocalToken(file_));
        CPPUNIT_ASSERT(!find(secret));
        CPPUNIT_ASSERT(find(tokenInFile()));
    }

    void testLocalTokenOfOthersStays() {
        const auto namesake = operators_->create("local", "default", Role::admin);
        operators_->ensureLocalToken(file_);
        std::filesystem::remove(file_);
        operators_->ensureLocalToken(file_);
        CPPUNIT_ASSERT(find(namesake.secret));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, operators_->list().size());
    }

    void testLocalTokenIsAdopted() {
        const std::string secret = newToken();
        putTokenFile(secret + "\n");
        CPPUNIT_ASSERT(!operators_->ensureLocalToken(file_));
        CPPUNIT_ASSERT_EQUAL(secret, tokenInFile());
        CPPUNIT_ASSERT(find(secret)->role == Role::admin);
        restart();
        CPPUNIT_ASSERT(find(secret));
    }

    void testLocalTokenAfterCrash() {
        writeFile(file_ + ".new", "half a tok");  // left by a start that did not get further
        CPPUNIT_ASSERT(operators_->ensureLocalToken(file_));
        CPPUNIT_ASSERT(find(tokenInFile()));
        CPPUNIT_ASSERT(!std::filesystem::exists(file_ + ".new"));
    }

    void testLocalTokenReadableByOthers() {
        operators_->ensureLocalToken(file_);
        for (const mode_t mode : {mode_t{0640}, mode_t{0604}, mode_t{0620}}) {
            CPPUNIT_ASSERT_EQUAL(0, ::chmod(file_.c_str(), mode));
            ASSERT_CONTAINS("chmod 600 " + file_, refusal());
        }
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(file_.c_str(), 0400));
        CPPUNIT_ASSERT(!operators_->ensureLocalToken(file_));
    }

    void testLocalTokenOfOtherOwner() {
        operators_->ensureLocalToken(file_);
        if (::chown(file_.c_str(), ::geteuid() + 1, static_cast<gid_t>(-1)) != 0) {
            return;  // only root can give a file away
        }
        const std::string sentence = refusal();
        ASSERT_CONTAINS("belongs to user id " + std::to_string(::geteuid() + 1), sentence);
        ASSERT_CONTAINS("chown " + std::to_string(::geteuid()) + " " + file_, sentence);
    }

    void testLocalTokenThatIsLink() {
        const std::string elsewhere = (directory_ / "elsewhere").string();
        writeFile(elsewhere, newToken());
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(elsewhere.c_str(), 0600));
        std::filesystem::create_symlink(elsewhere, file_);
        static_cast<void>(refusal());
    }

    void testLocalTokenThatIsDirectory() {
        std::filesystem::create_directory(file_);
        ASSERT_CONTAINS("is no regular file", refusal());
    }

    void testLocalTokenThatIsNone() {
        const std::string secret = newToken();
        for (const std::string& text : {std::string(), std::string("\n"), secret.substr(1), secret + "0",
                                        "x" + secret.substr(1), secret + "\n0"}) {
            putTokenFile(text);
            ASSERT_CONTAINS("holds no token", refusal());
        }
        CPPUNIT_ASSERT(operators_->list().empty());
    }

    void testLocalTokenThatIsNoAdmins() {
        putTokenFile(operators_->create("a", "alice", Role::user).secret);
        ASSERT_CONTAINS("holds a token with the role user, not admin", refusal());
    }

    void testLocalTokenThatCannotBeWritten() {
        try {
            operators_->ensureLocalToken((directory_ / "missing/operator.token").string());
            CPPUNIT_FAIL("written");
        } catch (const std::runtime_error& problem) {
            ASSERT_CONTAINS("missing/operator.token.new: cannot be created: No such file", problem.what());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(OperatorsTest);

}  // namespace
}  // namespace sallyport::host::auth
