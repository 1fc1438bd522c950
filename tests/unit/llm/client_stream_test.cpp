#include "plugins/llm/client_stream.h"

#include <memory>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/recorded_stream.h>

namespace sallyport::plugins::llm {
namespace {

class ClientStreamTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ClientStreamTest);
    CPPUNIT_TEST(testFirstBytesOpenIt);
    CPPUNIT_TEST(testBytesWaitForTheStream);
    CPPUNIT_TEST(testBodyThatEndsBeforeTheStreamComes);
    CPPUNIT_TEST(testCallThatEndsBeforeTheStreamComes);
    CPPUNIT_TEST(testStreamThatIsEndedIsLetGoOfLater);
    CPPUNIT_TEST(testCallThatEndsBeforeTheBody);
    CPPUNIT_TEST(testCallThatEndsUnopened);
    CPPUNIT_TEST(testPausesWhileMuchIsUnsent);
    CPPUNIT_TEST(testPausesWhileTheNetworkIsBehind);
    CPPUNIT_TEST_SUITE_END();

    ClientStream client_;
    const std::shared_ptr<testing::RecordedStream> stream_ = std::make_shared<testing::RecordedStream>();

    void open() { CPPUNIT_ASSERT(client_.write("one ")); }
    void attach() {
        stream_->write(client_.takeUnsent());
        CPPUNIT_ASSERT(client_.attach(stream_));
    }
    [[nodiscard]] static std::string backlog() { return std::string(ClientStream::greatestBacklog, 'a'); }

    void testFirstBytesOpenIt() {
        CPPUNIT_ASSERT(!client_.isOpened());
        CPPUNIT_ASSERT(client_.write(""));
        CPPUNIT_ASSERT(client_.isOpened());
        CPPUNIT_ASSERT(!client_.write("more"));
    }

    void testBytesWaitForTheStream() {
        open();
        CPPUNIT_ASSERT(!client_.write("two "));
        CPPUNIT_ASSERT(client_.stream() == nullptr);
        attach();
        CPPUNIT_ASSERT(client_.stream() == stream_);
        CPPUNIT_ASSERT(!client_.write("three"));
        CPPUNIT_ASSERT_EQUAL(std::string("one two three"), stream_->written());
        CPPUNIT_ASSERT(!stream_->ended());
    }

    void testBodyThatEndsBeforeTheStreamComes() {
        open();
        client_.end();
        CPPUNIT_ASSERT(client_.release() == nullptr);
        CPPUNIT_ASSERT(!client_.isCut());
        CPPUNIT_ASSERT_EQUAL(std::string("one "), client_.takeUnsent());
        CPPUNIT_ASSERT(!client_.attach(stream_));
        CPPUNIT_ASSERT(stream_->ended());
    }

    void testCallThatEndsBeforeTheStreamComes() {
        open();
        CPPUNIT_ASSERT(client_.release() == nullptr);
        CPPUNIT_ASSERT(client_.isCut());
        CPPUNIT_ASSERT(!client_.attach(stream_));
        CPPUNIT_ASSERT(!stream_->ended());
        CPPUNIT_ASSERT_EQUAL(1L, stream_.use_count());
    }

    void testStreamThatIsEndedIsLetGoOfLater() {
        open();
        attach();
        client_.end();
        CPPUNIT_ASSERT(stream_->ended());
        CPPUNIT_ASSERT_EQUAL(2L, stream_.use_count());
        CPPUNIT_ASSERT(client_.release() == stream_);
        CPPUNIT_ASSERT_EQUAL(1L, stream_.use_count());
        CPPUNIT_ASSERT(!client_.isCut());
    }

    void testCallThatEndsBeforeTheBody() {
        open();
        attach();
        CPPUNIT_ASSERT(client_.release() == stream_);
        CPPUNIT_ASSERT_EQUAL(1L, stream_.use_count());
        CPPUNIT_ASSERT(client_.isCut());
        CPPUNIT_ASSERT(!stream_->ended());
    }

    void testCallThatEndsUnopened() {
        CPPUNIT_ASSERT(client_.release() == nullptr);
        CPPUNIT_ASSERT(!client_.isOpened());
    }

    void testPausesWhileMuchIsUnsent() {
        CPPUNIT_ASSERT(!client_.pauseIfBehind());
        CPPUNIT_ASSERT(client_.write(backlog()));
        CPPUNIT_ASSERT(!client_.pauseIfBehind());
        CPPUNIT_ASSERT(!client_.write("a"));
        CPPUNIT_ASSERT(client_.pauseIfBehind());
        CPPUNIT_ASSERT(!client_.pauseIfBehind());
        attach();
        CPPUNIT_ASSERT(client_.isPaused());
        CPPUNIT_ASSERT(client_.resume());
        CPPUNIT_ASSERT(!client_.resume());
        CPPUNIT_ASSERT(!client_.isPaused());
    }

    void testPausesWhileTheNetworkIsBehind() {
        open();
        attach();
        stream_->stall();
        CPPUNIT_ASSERT(!client_.write(backlog()));
        CPPUNIT_ASSERT(!client_.pauseIfBehind());
        CPPUNIT_ASSERT(!client_.write("a"));
        CPPUNIT_ASSERT(client_.pauseIfBehind());
        stream_->drain();
        CPPUNIT_ASSERT(client_.isPaused());
        CPPUNIT_ASSERT(client_.resume());
        CPPUNIT_ASSERT(!client_.pauseIfBehind());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ClientStreamTest);

}  // namespace
}  // namespace sallyport::plugins::llm
