#include "host/auth/worker_tokens.h"

#include <thread>

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
    CPPUNIT_TEST(testAll);
    CPPUNIT_TEST(testRevoke);
    CPPUNIT_TEST(testRevokeTellsOnce);
    CPPUNIT_TEST(testListenerMayLookTokensUp);
    CPPUNIT_TEST(testRevokeWhileOthersLookUp);
    CPPUNIT_TEST_SUITE_END();

    WorkerTokens tokens_;
    const JobId job_ = JobId::random();
    const JobId other_ = JobId::random();

    void testFind() {
        CPPUNIT_ASSERT(!tokens_.find(job_));
        const auto made = lease(job_);
        tokens_.add(made);
        CPPUNIT_ASSERT(tokens_.find(job_) == made);
        CPPUNIT_ASSERT(!tokens_.find(other_));
    }

    void testAll() {
        CPPUNIT_ASSERT(tokens_.all().empty());
        tokens_.add(lease(job_));
        tokens_.add(lease(other_));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, tokens_.all().size());
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
