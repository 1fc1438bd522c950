#include "plugins/jobs/pending_reads.h"

#include <string>
#include <variant>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>

namespace sallyport::plugins {
namespace {

class PendingReadsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PendingReadsTest);
    CPPUNIT_TEST(testOneReadAnswersAll);
    CPPUNIT_TEST(testFailureAnswersAll);
    CPPUNIT_TEST(testReadThatIsDropped);
    CPPUNIT_TEST_SUITE_END();

    const JobId job_ = JobId::random();
    PendingReads reads_;
    std::vector<int> statuses_;
    std::vector<std::string> bodies_;

    Promise promise() {
        return Promise([this](Reply reply) {
            statuses_.push_back(reply.status());
            bodies_.push_back(std::get<Reply::Whole>(reply.content()).body);
        });
    }

    void testOneReadAnswersAll() {
        auto read = reads_.join(job_, promise());
        CPPUNIT_ASSERT(read);
        CPPUNIT_ASSERT(!reads_.join(job_, promise()));
        CPPUNIT_ASSERT(reads_.join(JobId::random(), promise()));  // whose read is dropped at once
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, statuses_.size());
        read->succeed("{}");
        CPPUNIT_ASSERT((statuses_ == std::vector<int>{503, 200, 200}));
        CPPUNIT_ASSERT_EQUAL(std::string("{}"), bodies_.back());
        const auto next = reads_.join(job_, promise());
        CPPUNIT_ASSERT(next);
        read.reset();  // leaves those alone who wait for the next one
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, statuses_.size());
    }

    void testFailureAnswersAll() {
        const auto read = reads_.join(job_, promise());
        CPPUNIT_ASSERT(!reads_.join(job_, promise()));
        read->fail(std::make_exception_ptr(notFound("gone")));
        CPPUNIT_ASSERT((statuses_ == std::vector<int>{404, 404}));
    }

    void testReadThatIsDropped() {
        auto read = reads_.join(job_, promise());
        CPPUNIT_ASSERT(!reads_.join(job_, promise()));
        read.reset();
        CPPUNIT_ASSERT((statuses_ == std::vector<int>{503, 503}));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PendingReadsTest);

}  // namespace
}  // namespace sallyport::plugins
