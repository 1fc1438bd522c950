#include "host/http/response_writer.h"

#include <memory>
#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/unit/http/memory_transport.h"

namespace sallyport::tests {

using namespace host::http;
using Outcome = ResponseWriter::Outcome;

namespace {

ResponseHead head(ResponseFraming framing, std::size_t length = 0, int status = 200) {
    ResponseHead made;
    made.status = status;
    made.framing = framing;
    made.length = length;
    made.requestId = "id";
    made.dateHeader = "Date: now\r\n";
    return made;
}

std::string bodyOf(const std::string& output) {
    return output.substr(output.find("\r\n\r\n") + 4);
}

const std::string longBody(100'000, 'x');

}  // namespace

class ResponseWriterTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ResponseWriterTest);
    CPPUNIT_TEST(testWholeResponse);
    CPPUNIT_TEST(testEveryKindOfPieceInOrder);
    CPPUNIT_TEST(testChunksAreFramed);
    CPPUNIT_TEST(testHeadAndBodylessStatusHaveNoBody);
    CPPUNIT_TEST(testInterimComesBefore);
    CPPUNIT_TEST(testBackPressure);
    CPPUNIT_TEST(testBoundHoldsButForOneMessage);
    CPPUNIT_TEST(testQueueThatIsNeverEmptyStaysInOrder);
    CPPUNIT_TEST(testSharedBuffersAreNeitherCopiedNorKept);
    CPPUNIT_TEST(testFailureIsTold);
    CPPUNIT_TEST(testSecretBodyIsTakenOver);
    CPPUNIT_TEST_SUITE_END();

    MemoryPeer peer_;
    MemoryTransport transport_{peer_};
    ResponseWriter writer_{transport_};

public:
    void testWholeResponse() {
        writer_.begin(head(ResponseFraming::length, 5), false);
        writer_.writeMoved(std::string("hello"));
        CPPUNIT_ASSERT(writer_.backlog() > 5);
        CPPUNIT_ASSERT(writer_.flush() == Outcome::drained);
        CPPUNIT_ASSERT(writer_.progressed());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, writer_.backlog());
        CPPUNIT_ASSERT_EQUAL(std::string("hello"), bodyOf(peer_.output()));
        CPPUNIT_ASSERT(writer_.flush() == Outcome::drained);
        CPPUNIT_ASSERT(!writer_.progressed());
    }

    void testEveryKindOfPieceInOrder() {
        // In pieces of every size, so that each buffer is cut somewhere.
        for (std::size_t piece = 1; piece < 40; ++piece) {
            MemoryPeer peer;
            MemoryTransport transport(peer, piece);
            ResponseWriter writer(transport);
            writer.begin(head(ResponseFraming::untilClose), false);
            std::string expected;
            for (int i = 0; i < 30; ++i) {
                const auto text = std::to_string(i) + ",";
                writer.write(text);
                writer.writeShared(std::make_shared<const std::string>(text));
                expected += text + text;
            }
            writer.writeMoved(std::string(longBody));
            writer.end();
            CPPUNIT_ASSERT(writer.flush() == Outcome::drained);
            CPPUNIT_ASSERT_EQUAL(expected + longBody, bodyOf(peer.output()));
        }
    }

    void testChunksAreFramed() {
        writer_.begin(head(ResponseFraming::chunked), false);
        writer_.write("hello");
        writer_.write("");
        writer_.writeShared(std::make_shared<const std::string>("shared"));
        writer_.writeMoved(std::string(longBody));
        writer_.end();
        CPPUNIT_ASSERT(writer_.flush() == Outcome::drained);
        CPPUNIT_ASSERT_EQUAL("5\r\nhello\r\n6\r\nshared\r\n186a0\r\n" + longBody + "\r\n0\r\n\r\n",
                             bodyOf(peer_.output()));
    }

    void testHeadAndBodylessStatusHaveNoBody() {
        for (const bool headOnly : {true, false}) {
            for (const auto framing : {ResponseFraming::length, ResponseFraming::chunked}) {
                MemoryPeer peer;
                MemoryTransport transport(peer);
                ResponseWriter writer(transport);
                writer.begin(head(framing, 5, headOnly ? 200 : 204), headOnly);
                writer.write("hello");
                writer.writeMoved(std::string(longBody));
                writer.writeShared(std::make_shared<const std::string>("hello"));
                writer.end();
                CPPUNIT_ASSERT(writer.flush() == Outcome::drained);
                CPPUNIT_ASSERT_EQUAL(std::string(), bodyOf(peer.output()));
            }
        }
    }

    void testInterimComesBefore() {
        writer_.beginInterim();
        CPPUNIT_ASSERT(writer_.flush() == Outcome::drained);
        CPPUNIT_ASSERT_EQUAL(std::string("HTTP/1.1 100 Continue\r\n\r\n"), peer_.output());
    }

    void testBackPressure() {
        peer_.stopTaking();
        writer_.begin(head(ResponseFraming::untilClose), false);
        writer_.writeMoved(std::string(longBody));
        const auto all = writer_.backlog();
        CPPUNIT_ASSERT(writer_.flush() == Outcome::blocked);
        CPPUNIT_ASSERT(!writer_.progressed());
        CPPUNIT_ASSERT_EQUAL(all, writer_.backlog());
        peer_.take(1000);
        CPPUNIT_ASSERT(writer_.flush() == Outcome::blocked);
        CPPUNIT_ASSERT(writer_.progressed());
        CPPUNIT_ASSERT_EQUAL(all - 1000, writer_.backlog());
        peer_.take(all);
        CPPUNIT_ASSERT(writer_.flush() == Outcome::drained);
        CPPUNIT_ASSERT_EQUAL(longBody, bodyOf(peer_.output()));
    }

    void testBoundHoldsButForOneMessage() {
        CPPUNIT_ASSERT(writer_.hasRoom(100, 10));
        writer_.begin(head(ResponseFraming::untilClose), false);
        const auto used = writer_.backlog();
        CPPUNIT_ASSERT(!writer_.hasRoom(11, used + 10));
        CPPUNIT_ASSERT(writer_.hasRoom(10, used + 10));
    }

    void testQueueThatIsNeverEmptyStaysInOrder() {
        peer_.stopTaking();
        writer_.begin(head(ResponseFraming::untilClose), false);
        std::string expected;
        for (int i = 0; i < 3000; ++i) {
            const auto text = std::to_string(i) + std::string(50, '.');
            if (i % 3 == 0) {
                writer_.writeShared(std::make_shared<const std::string>(text));
            } else {
                writer_.write(text);
            }
            expected += text;
            peer_.take(40);
            CPPUNIT_ASSERT(writer_.flush() == Outcome::blocked);
        }
        peer_.take(writer_.backlog());
        CPPUNIT_ASSERT(writer_.flush() == Outcome::drained);
        CPPUNIT_ASSERT_EQUAL(expected, bodyOf(peer_.output()));
    }

    void testSharedBuffersAreNeitherCopiedNorKept() {
        peer_.stopTaking();
        writer_.begin(head(ResponseFraming::untilClose), false);
        const auto shared = std::make_shared<const std::string>(longBody);
        writer_.writeShared(shared);
        writer_.writeShared(shared);
        CPPUNIT_ASSERT_EQUAL(3L, shared.use_count());
        peer_.take(writer_.backlog() - 1);
        CPPUNIT_ASSERT(writer_.flush() == Outcome::blocked);
        CPPUNIT_ASSERT_EQUAL(2L, shared.use_count());
        writer_.discard();
        CPPUNIT_ASSERT_EQUAL(1L, shared.use_count());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, writer_.backlog());
    }

    void testFailureIsTold() {
        peer_.reset();
        writer_.begin(head(ResponseFraming::length), false);
        CPPUNIT_ASSERT(writer_.flush() == Outcome::failed);
    }

    void testSecretBodyIsTakenOver() {
        writer_.keepSecret();
        writer_.begin(head(ResponseFraming::length, 5), false);
        std::string secret = "hello";
        const char* const where = secret.data();
        writer_.writeMoved(std::move(secret));
        // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): what is left of it is the
        // point
        CPPUNIT_ASSERT_EQUAL(std::string(5, '\0'), std::string(where, 5));
        CPPUNIT_ASSERT(writer_.flush() == Outcome::drained);
        CPPUNIT_ASSERT_EQUAL(std::string("hello"), bodyOf(peer_.output()));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ResponseWriterTest);

}  // namespace sallyport::tests
