#include "host/auth/worker_tokens.h"

#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::auth {
namespace {

std::shared_ptr<Lease> lease(const JobId& job) {
    auto made = std::make_shared<Lease>();
    made->job = job;
    made->user = "alice";
    return made;
}

class WorkerTokensTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WorkerTokensTest);
    CPPUNIT_TEST(testFind);
    CPPUNIT_TEST(testFindByDigest);
    CPPUNIT_TEST(testThose);
    CPPUNIT_TEST(testPresence);
    CPPUNIT_TEST(testRevoke);
    CPPUNIT_TEST(testRevokeTellsOnce);
    CPPUNIT_TEST(testListenerMayLookTokensUp);
    CPPUNIT_TEST(testRevokeWhileOthersLookUp);
    CPPUNIT_TEST_SUITE_END();

    WorkerTokens tokens_;
    const JobId job_ = JobId::random();
    const JobId other_ = JobId::random();

    [[nodiscard]] std::vector<std::shared_ptr<Lease>> all() const {
        return tokens_.those([](const Lease& /*lease*/) { return true; });
    }

    void testFind() {
        CPPUNIT_ASSERT(!tokens_.find(job_));
        const auto made = lease(job_);
        tokens_.add(made);
        CPPUNIT_ASSERT(tokens_.find(job_) == made);
        CPPUNIT_ASSERT(!tokens_.find(other_));
    }

    void testFindByDigest() {
        const auto made = lease(job_);
        made->digest = digest("one");
        tokens_.add(made);
        CPPUNIT_ASSERT(tokens_.find(digest("one")) == made);
        CPPUNIT_ASSERT(!tokens_.find(digest("two")));
        // A lease that takes the place of another.
        const auto next = lease(job_);
        next->digest = digest("two");
        tokens_.add(next);
        CPPUNIT_ASSERT(!tokens_.find(digest("one")));
        CPPUNIT_ASSERT(tokens_.find(digest("two")) == next);
        tokens_.revoke(job_);
        CPPUNIT_ASSERT(!tokens_.find(digest("two")));
    }

    void testThose() {
        CPPUNIT_ASSERT(all().empty());
        tokens_.add(lease(job_));
        tokens_.add(lease(other_));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, all().size());
        const auto others = tokens_.those([&](const Lease& each) { return each.job == other_; });
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, others.size());
        CPPUNIT_ASSERT(others[0] == tokens_.find(other_));
    }

    static void testPresence() {
        const auto made = lease(JobId::random());
        auto first = Presence::of(made);
        auto second = Presence::of(made);
        CPPUNIT_ASSERT_EQUAL(made.get(), first.get());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, made->underWay.load());
        auto copy = first;
        first.reset();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, made->underWay.load());
        copy.reset();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, made->underWay.load());
        made->lastSeenMs = 0;
        second.reset();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, made->underWay.load());
        CPPUNIT_ASSERT(made->lastSeenMs > 0);
    }

    void testRevoke() {
        const auto held = lease(job_);
        tokens_.add(held);
        tokens_.add(lease(other_));
        tokens_.revoke(job_);
        CPPUNIT_ASSERT(held->revoked);
        CPPUNIT_ASSERT(!tokens_.find(job_));
        CPPUNIT_ASSERT(!tokens_.find(other_)->revoked);
    }

    void testRevokeTellsOnce() {
        std::vector<JobId> told;
        tokens_.onRevoked([&](const JobId& job) { told.push_back(job); });
        tokens_.add(lease(job_));
        tokens_.revoke(job_);
        tokens_.revoke(job_);
        tokens_.revoke(other_);
        CPPUNIT_ASSERT((told == std::vector<JobId>{job_}));
    }

    void testListenerMayLookTokensUp() {
        bool goneAlready = false;
        tokens_.onRevoked([&](const JobId& job) {
            goneAlready = !tokens_.find(job);
            tokens_.revoke(other_);
        });
        tokens_.add(lease(job_));
        tokens_.revoke(job_);
        CPPUNIT_ASSERT(goneAlready);
    }

    void testRevokeWhileOthersLookUp() {
        for (int round = 0; round < 100; ++round) {
            tokens_.add(lease(job_));
            std::atomic<bool> revoked{false};
            std::atomic<bool> seenAfter{false};
            const auto look = [&] {
                for (bool last = false; !last;) {
                    last = revoked;
                    const auto found = tokens_.find(job_);
                    if (last && found) {
                        seenAfter = true;
                    }
                }
            };
            std::thread first(look);
            std::thread second(look);
            tokens_.revoke(job_);
            revoked = true;
            first.join();
            second.join();
            CPPUNIT_ASSERT(!seenAfter);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(WorkerTokensTest);

}  // namespace
}  // namespace sallyport::host::auth
