// The plugin of docs/plugins.md, tested as the guide says.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>
#include <sallyport/secrets.h>
#include <sallyport/testing/fake_host.h>

#include "tests/unit/testing/note_counts.h"

extern "C" const sallyport::PluginDescriptor sallyport_plugin;

namespace sallyport::testing {

namespace {

class FixedVault final : public SecretVault {
public:
    SecretText reveal(std::string_view /*plugin*/, const std::string& /*user*/,
                      const std::string& /*name*/) override {
        return SecretText::copyOf("key");
    }
};

}  // namespace

class NotesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(NotesTest);
    CPPUNIT_TEST(testKeepsANote);
    CPPUNIT_TEST(testRefusesANoteThatIsTooLarge);
    CPPUNIT_TEST(testAnswers503WhenTheDiskIsFull);
    CPPUNIT_TEST(testWaitsForTheNextNote);
    CPPUNIT_TEST(testWritesAllAsText);
    CPPUNIT_TEST(testShowsThemToTheOwnerSigned);
    CPPUNIT_TEST(testErasesThemForAnAdmin);
    CPPUNIT_TEST(testTellsSubscribers);
    CPPUNIT_TEST(testDeletesThemWithTheirJob);
    CPPUNIT_TEST(testDeletesThemWhenTheyAreOld);
    CPPUNIT_TEST(testSaysThatTheVaultIsMissing);
    CPPUNIT_TEST(testKeepsThemOverARestart);
    CPPUNIT_TEST(testLooksItselfOver);
    CPPUNIT_TEST(testCountsLinesInATunnel);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override { host_.start(); }

    void testKeepsANote() {
        CPPUNIT_ASSERT_EQUAL(201, host_.worker(job_, "POST", "/notes", R"({"text":"one"})").status());
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"notes":["one"]})"), host_.worker(job_, "GET", "/notes").body());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.metric("stored_total"));
    }

    void testRefusesANoteThatIsTooLarge() {
        const Answer answer = host_.worker(job_, "POST", "/notes", R"({"text":"123456789"})");
        CPPUNIT_ASSERT_EQUAL(413, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string("too_large"), answer.code());
    }

    void testAnswers503WhenTheDiskIsFull() {
        host_.store().failWrites(true);
        CPPUNIT_ASSERT_EQUAL(503, host_.worker(job_, "POST", "/notes", R"({"text":"one"})").status());
        host_.store().failWrites(false);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT count(*) FROM notes"));
    }

    void testWaitsForTheNextNote() {
        Answer waiting = host_.worker(job_, "GET", "/notes/count?above=0");
        CPPUNIT_ASSERT(waiting.parked());
        CPPUNIT_ASSERT(!waiting.retry());
        host_.worker(job_, "POST", "/notes", R"({"text":"one"})");
        CPPUNIT_ASSERT_EQUAL(waiting.topic(), host_.woken().back());
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"count":1})"), waiting.retry()->body());
        CPPUNIT_ASSERT_EQUAL(204, waiting.statusOnTimeout());
    }

    void testWritesAllAsText() {
        host_.worker(job_, "POST", "/notes", R"({"text":"one"})");
        host_.worker(job_, "POST", "/notes", R"({"text":"two"})");
        const auto client = host_.worker(job_, "GET", "/notes/text").stream();
        client->awaitEnd();
        CPPUNIT_ASSERT_EQUAL(std::string("one\ntwo\n"), client->written());
    }

    void testShowsThemToTheOwnerSigned() {
        const std::string path = "/jobs/" + job_.job->id.str() + "/notes";
        CPPUNIT_ASSERT_EQUAL(503, host_.operators("alice", Role::viewer, "GET", path).status());
        host_.offer<SecretVault>(std::make_shared<FixedVault>());
        const Answer answer = host_.operators("alice", Role::viewer, "GET", path);
        CPPUNIT_ASSERT_EQUAL(200, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::size_t{40}, answer.header("X-Signature").value().size());
        CPPUNIT_ASSERT_EQUAL(404, host_.operators("bob", Role::user, "GET", path).status());
    }

    void testErasesThemForAnAdmin() {
        host_.worker(job_, "POST", "/notes", R"({"text":"one"})");
        const std::string path = "/jobs/" + job_.job->id.str() + "/notes";
        const Answer refused = host_.operators("alice", Role::user, "DELETE", path);
        CPPUNIT_ASSERT_EQUAL(403, refused.status());
        CPPUNIT_ASSERT_EQUAL(204, host_.operators("root", Role::admin, "DELETE", path).status());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT count(*) FROM notes"));
    }

    void testTellsSubscribers() {
        host_.worker(job_, "POST", "/notes", R"({"text":"one"})");
        CPPUNIT_ASSERT_EQUAL(std::string("job_note"), host_.events().published().at(0).type);
    }

    void testDeletesThemWithTheirJob() {
        const CreatedJob other = host_.makeJob("alice");
        host_.worker(job_, "POST", "/notes", R"({"text":"one"})");
        host_.worker(other, "POST", "/notes", R"({"text":"two"})");
        host_.finish(job_.job->id, JobState::completed);
        host_.tick();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, host_.number("SELECT count(*) FROM notes"));
        host_.deleteEnded();
        host_.tick();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.number("SELECT count(*) FROM notes"));
    }

    void testDeletesThemWhenTheyAreOld() {
        host_.worker(job_, "POST", "/notes", R"({"text":"one"})");
        host_.worker(job_, "POST", "/notes", R"({"text":"two"})");
        host_.store().write([](Transaction& transaction) {
            transaction.execute("UPDATE notes SET created_at = 1 WHERE id = 1");
        });
        host_.tick();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, host_.number("SELECT min(id) FROM notes"));
    }

    void testSaysThatTheVaultIsMissing() {
        CPPUNIT_ASSERT(!host_.plugin().trouble());
        host_.tick();
        CPPUNIT_ASSERT(host_.plugin().trouble());
        host_.offer<SecretVault>(std::make_shared<FixedVault>());
        host_.tick();
        CPPUNIT_ASSERT(!host_.plugin().trouble());
    }

    void testKeepsThemOverARestart() {
        host_.worker(job_, "POST", "/notes", R"({"text":"one"})");
        host_.crash();
        host_.start();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.find<NoteCounts>()->of(job_.job->id));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"notes":["one"]})"), host_.worker(job_, "GET", "/notes").body());
    }

    void testCountsLinesInATunnel() {
        const auto client = host_.worker(job_, "GET", "/notes/lines").open();
        client->send("one\ntwo\n");
        client->finishSending();
        client->awaitEnd();
        CPPUNIT_ASSERT_EQUAL(std::string("2\n"), client->received());
    }

    void testLooksItselfOver() {
        host_.worker(job_, "POST", "/notes", R"({"text":"one"})");
        const std::vector<Finding> findings = host_.examine();
        CPPUNIT_ASSERT(findings.at(0).verdict == Verdict::warning);
        CPPUNIT_ASSERT_EQUAL(std::string("there are 1"), findings.at(1).sentence);
        host_.offer<SecretVault>(std::make_shared<FixedVault>());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, host_.examine({.store = false}).size());
    }

private:
    FakeHost host_{sallyport_plugin, {{"notes.max_size", "8"}}};
    CreatedJob job_ = host_.makeJob("alice");
};

CPPUNIT_TEST_SUITE_REGISTRATION(NotesTest);

}  // namespace sallyport::testing
