#include "host/http/body_decoder.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::http;
using State = BodyDecoder::State;

namespace {

RequestHead counted(std::uint64_t length) {
    RequestHead head;
    head.framing = length == 0 ? Framing::none : Framing::length;
    head.length = length;
    return head;
}

RequestHead chunked() {
    RequestHead head;
    head.framing = Framing::chunked;
    return head;
}

struct Outcome {
    State state;
    std::size_t used;
    std::string body;
};

/// Feeds the whole input in pieces of one size.
Outcome feed(const RequestHead& head, std::string_view input, std::size_t piece, std::uint64_t limit = 1000) {
    BodyDecoder decoder(head, limit);
    Outcome outcome{decoder.state(), 0, {}};
    for (std::size_t at = 0; at < input.size() && decoder.state() == State::reading; at += piece) {
        outcome.used += decoder.feed(input.substr(at, piece), outcome.body);
    }
    outcome.state = decoder.state();
    return outcome;
}

}  // namespace

class BodyDecoderTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BodyDecoderTest);
    CPPUNIT_TEST(testNoBodyIsComplete);
    CPPUNIT_TEST(testCountedBodyTakesItsBytesOnly);
    CPPUNIT_TEST(testCountedBodyOverTheLimitIsNotRead);
    CPPUNIT_TEST(testCountedBodyIsGivenRoomOnceMuchIsThere);
    CPPUNIT_TEST(testChunksInPiecesOfEverySize);
    CPPUNIT_TEST(testExtensionsAndTrailersAreIgnored);
    CPPUNIT_TEST(testMalformedChunks);
    CPPUNIT_TEST(testChunksOverTheLimit);
    CPPUNIT_TEST(testEndlessLinesAndTrailersAreCut);
    CPPUNIT_TEST(testOverheadStaysInProportion);
    CPPUNIT_TEST_SUITE_END();

public:
    void testNoBodyIsComplete() { CPPUNIT_ASSERT(feed(counted(0), "GET", 3).state == State::complete); }

    void testCountedBodyTakesItsBytesOnly() {
        for (std::size_t piece = 1; piece <= 9; ++piece) {
            const auto outcome = feed(counted(5), "helloGET ", piece);
            CPPUNIT_ASSERT(outcome.state == State::complete);
            CPPUNIT_ASSERT_EQUAL(std::string("hello"), outcome.body);
            CPPUNIT_ASSERT_EQUAL(std::size_t{5}, outcome.used);
        }
    }

    void testCountedBodyOverTheLimitIsNotRead() {
        CPPUNIT_ASSERT(feed(counted(1000), std::string(1000, 'a'), 100).state == State::complete);
        const auto outcome = feed(counted(1001), std::string(1001, 'a'), 100);
        CPPUNIT_ASSERT(outcome.state == State::tooLarge);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, outcome.used);
    }

    void testCountedBodyIsGivenRoomOnceMuchIsThere() {
        constexpr std::size_t length = 1'000'000;
        const std::string piece(10'000, 'a');
        BodyDecoder decoder(counted(length), length);
        std::string body;
        static_cast<void>(decoder.feed(piece, body));
        CPPUNIT_ASSERT(body.capacity() < length / 10);
        std::size_t copied = 0;
        while (decoder.state() == State::reading) {
            const std::size_t before = body.size();
            const char* const place = body.data();
            static_cast<void>(decoder.feed(piece, body));
            copied += body.data() == place ? 0 : before;
        }
        CPPUNIT_ASSERT_EQUAL(length, body.size());
        CPPUNIT_ASSERT(copied < length / 5);
    }

    void testChunksInPiecesOfEverySize() {
        const std::string_view input = "5\r\nhello\r\nA\r\n, world!!!\r\n0\r\n\r\nGET ";
        for (std::size_t piece = 1; piece <= input.size(); ++piece) {
            const auto outcome = feed(chunked(), input, piece);
            CPPUNIT_ASSERT(outcome.state == State::complete);
            CPPUNIT_ASSERT_EQUAL(std::string("hello, world!!!"), outcome.body);
            CPPUNIT_ASSERT_EQUAL(input.size() - 4, outcome.used);
        }
    }

    void testExtensionsAndTrailersAreIgnored() {
        const auto outcome =
            feed(chunked(), "3;a=b\r\nabc\r\n2 ;x\r\nde\r\n0;y\r\nX-T: 1\r\nY: 2\r\n\r\n", 7);
        CPPUNIT_ASSERT(outcome.state == State::complete);
        CPPUNIT_ASSERT_EQUAL(std::string("abcde"), outcome.body);
    }

    void testMalformedChunks() {
        for (const char* input : {"\r\n", "g\r\n", "-1\r\n", "0x5\r\nhello", "5\nhello\r\n",
                                  "5\r\nhelloX\r\n", "5\r\nhello\n", "5 5\r\nhello\r\n", "+5\r\nhello\r\n",
                                  " 5\r\nhello\r\n", "10000000000000000\r\n", "5\r\r\nhello\r\n"}) {
            CPPUNIT_ASSERT_MESSAGE(input, feed(chunked(), input, 4).state == State::malformed);
        }
    }

    void testChunksOverTheLimit() {
        CPPUNIT_ASSERT(feed(chunked(), "5\r\nhello\r\n0\r\n\r\n", 3, 5).state == State::complete);
        CPPUNIT_ASSERT(feed(chunked(), "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", 3, 5).state == State::tooLarge);
        CPPUNIT_ASSERT(feed(chunked(), "FFFFFFFFFFFFFFFF\r\n", 3, 5).state == State::tooLarge);
    }

    void testOverheadStaysInProportion() {
        constexpr std::uint64_t limit = 100'000'000;
        constexpr int chunks = 10'000;
        std::string plain;
        std::string extended;
        std::string empty;
        for (int i = 0; i < chunks; ++i) {
            plain += "1\r\nx\r\n";
            extended += "1;" + std::string(200, 'e') + "\r\nx\r\n";
            empty += "00000000000000000001;\r\nx\r\n";
        }
        // A byte a chunk is how some clients write.
        const auto dribbled = feed(chunked(), plain + "0\r\n\r\n", 1000, limit);
        CPPUNIT_ASSERT(dribbled.state == State::complete);
        CPPUNIT_ASSERT_EQUAL(std::size_t{chunks}, dribbled.body.size());
        for (const auto* text : {&extended, &empty}) {
            const auto refused = feed(chunked(), *text, 1000, limit);
            CPPUNIT_ASSERT(refused.state == State::malformed);
            CPPUNIT_ASSERT(refused.used < text->size() / 2);
        }
        // A few are nothing to speak of.
        CPPUNIT_ASSERT(feed(chunked(), extended.substr(0, 50 * 207) + "0\r\n\r\n", 1000, limit).state ==
                       State::complete);
    }

    void testEndlessLinesAndTrailersAreCut() {
        CPPUNIT_ASSERT(feed(chunked(), "5;" + std::string(10000, 'a'), 100).state == State::malformed);
        std::string trailers = "0\r\n";
        for (int i = 0; i < 1000; ++i) {
            trailers += "X: aaaaaaaaaaaaaaaaaaaaaa\r\n";
        }
        CPPUNIT_ASSERT(feed(chunked(), trailers, 100).state == State::malformed);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(BodyDecoderTest);

}  // namespace sallyport::tests
