#include "host/http/request_reader.h"

#include <algorithm>
#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::http;
using Progress = RequestReader::Progress;
using Stage = RequestReader::Stage;

namespace {

constexpr std::uint64_t maxBody = 1000;

std::string post(std::string_view body, std::string_view path = "/x") {
    return "POST " + std::string(path) +
           " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
}

const std::string get = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace

class RequestReaderTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RequestReaderTest);
    CPPUNIT_TEST(testBeginsIdle);
    CPPUNIT_TEST(testRequestInPiecesOfEverySize);
    CPPUNIT_TEST(testNothingIsReadBeforeItIsAskedFor);
    CPPUNIT_TEST(testPipelinedRequestsComeInOrder);
    CPPUNIT_TEST(testUnwantedBodyIsDropped);
    CPPUNIT_TEST(testLongUnwantedBodyEndsTheConnection);
    CPPUNIT_TEST(testMalformedHeadEndsTheConnection);
    CPPUNIT_TEST(testMalformedAndTooLongBodiesEndTheConnection);
    CPPUNIT_TEST(testBodiesTakeFromTheBudget);
    CPPUNIT_TEST(testWhatABodyIsTakenApartIntoCounts);
    CPPUNIT_TEST(testBodiesOfAJobTakeFromItsShare);
    CPPUNIT_TEST(testWhatIsKeptTakesFromTheBudget);
    CPPUNIT_TEST(testReadsNoMoreThanItCanUse);
    CPPUNIT_TEST(testWhatIsStoredOutlivesItsInput);
    CPPUNIT_TEST(testSecretInputIsOverwritten);
    CPPUNIT_TEST(testDiscardForgetsEverything);
    CPPUNIT_TEST_SUITE_END();

    const Limits limits_;
    BodyBudget budget_{std::size_t{1024} * 1024};
    std::string input_;

    BodyBudget::Share share() { return {budget_, Realm::worker}; }

    /// Lends the reader a copy, which is overwritten by the next one.
    Progress supply(RequestReader& reader, std::string_view text) {
        CPPUNIT_ASSERT(reader.store());
        input_ = text;
        reader.supply(input_);
        return reader.advance();
    }

    bool expectBody(RequestReader& reader) { return reader.expectBody(reader.takeHead(), maxBody, share()); }

public:
    void testBeginsIdle() {
        RequestReader reader(limits_, share());
        CPPUNIT_ASSERT(reader.stage() == Stage::idle);
        CPPUNIT_ASSERT(reader.advance() == Progress::starved);
        CPPUNIT_ASSERT(reader.stage() == Stage::idle);
        CPPUNIT_ASSERT(supply(reader, "G") == Progress::starved);
        CPPUNIT_ASSERT(reader.stage() == Stage::head);
    }

    void testRequestInPiecesOfEverySize() {
        const auto text = post("hello");
        for (std::size_t piece = 1; piece <= text.size(); ++piece) {
            RequestReader reader(limits_, share());
            auto progress = Progress::starved;
            for (std::size_t at = 0; at < text.size(); at += piece) {
                progress = supply(reader, std::string_view(text).substr(at, piece));
                if (progress == Progress::head) {
                    CPPUNIT_ASSERT(expectBody(reader));
                    progress = reader.advance();
                }
            }
            CPPUNIT_ASSERT(progress == Progress::body);
            CPPUNIT_ASSERT_EQUAL(std::string("hello"), reader.takeBody().text);
            CPPUNIT_ASSERT_EQUAL(std::size_t{0}, reader.buffered());
        }
    }

    void testNothingIsReadBeforeItIsAskedFor() {
        RequestReader reader(limits_, share());
        CPPUNIT_ASSERT(supply(reader, get + get) == Progress::head);
        CPPUNIT_ASSERT(reader.advance() == Progress::starved);
        CPPUNIT_ASSERT(!expectBody(reader));
        CPPUNIT_ASSERT(reader.advance() == Progress::starved);
        CPPUNIT_ASSERT_EQUAL(get.size(), reader.buffered());
        reader.nextRequest();
        CPPUNIT_ASSERT(reader.stage() == Stage::idle);
        CPPUNIT_ASSERT(reader.advance() == Progress::head);
    }

    void testPipelinedRequestsComeInOrder() {
        RequestReader reader(limits_, share());
        std::string text;
        for (int i = 0; i < 5; ++i) {
            text += post(std::to_string(i), "/" + std::to_string(i));
        }
        auto progress = supply(reader, text);
        for (int i = 0; i < 5; ++i) {
            CPPUNIT_ASSERT(progress == Progress::head);
            auto head = reader.takeHead();
            CPPUNIT_ASSERT_EQUAL("/" + std::to_string(i), head.path);
            CPPUNIT_ASSERT(reader.expectBody(head, maxBody, share()));
            CPPUNIT_ASSERT(reader.advance() == Progress::body);
            CPPUNIT_ASSERT_EQUAL(std::to_string(i), reader.takeBody().text);
            reader.nextRequest();
            progress = reader.advance();
        }
        CPPUNIT_ASSERT(progress == Progress::starved);
    }

    void testUnwantedBodyIsDropped() {
        RequestReader reader(limits_, share());
        CPPUNIT_ASSERT(supply(reader, post("hello").substr(0, post("hello").size() - 2)) == Progress::head);
        static_cast<void>(reader.takeHead());
        CPPUNIT_ASSERT(reader.canGoOn());
        CPPUNIT_ASSERT(reader.dropBody());
        CPPUNIT_ASSERT(reader.advance() == Progress::starved);
        CPPUNIT_ASSERT(reader.stage() == Stage::dropping);
        CPPUNIT_ASSERT(supply(reader, "lo" + get) == Progress::dropped);
        CPPUNIT_ASSERT(!reader.dropBody());
        reader.nextRequest();
        CPPUNIT_ASSERT(reader.advance() == Progress::head);
        CPPUNIT_ASSERT_EQUAL(std::string("/next"), reader.takeHead().path);
    }

    void testLongUnwantedBodyEndsTheConnection() {
        RequestReader reader(limits_, share());
        CPPUNIT_ASSERT(supply(reader, post(std::string(100'000, 'x'))) == Progress::head);
        static_cast<void>(reader.takeHead());
        CPPUNIT_ASSERT(!reader.canGoOn());
        CPPUNIT_ASSERT(!reader.dropBody());
    }

    void testMalformedHeadEndsTheConnection() {
        RequestReader reader(limits_, share());
        CPPUNIT_ASSERT(supply(reader, "GET /\r\n") == Progress::failed);
        CPPUNIT_ASSERT_EQUAL(400, reader.error().status());
        CPPUNIT_ASSERT(!reader.canGoOn());
        CPPUNIT_ASSERT(supply(reader, get) == Progress::starved);
    }

    void testMalformedAndTooLongBodiesEndTheConnection() {
        const std::string head = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (const auto& [body, status] : {std::pair("x\r\n", 400), std::pair("fff\r\n", 413)}) {
            RequestReader reader(limits_, share());
            CPPUNIT_ASSERT(supply(reader, head) == Progress::head);
            CPPUNIT_ASSERT(expectBody(reader));
            CPPUNIT_ASSERT(supply(reader, body) == Progress::failed);
            CPPUNIT_ASSERT_EQUAL(status, reader.error().status());
            CPPUNIT_ASSERT(!reader.canGoOn());
        }
    }

    void testBodiesTakeFromTheBudget() {
        // Three quarters of it are one door's.
        BodyBudget small(std::size_t{6} * 1024);
        RequestReader first(limits_, share());
        RequestReader second(limits_, share());
        for (auto* reader : {&first, &second}) {
            CPPUNIT_ASSERT(supply(*reader, post("hello")) == Progress::head);
            CPPUNIT_ASSERT(
                reader->expectBody(reader->takeHead(), maxBody, BodyBudget::Share(small, Realm::worker)));
        }
        CPPUNIT_ASSERT(first.advance() == Progress::body);
        {
            const auto kept = first.takeBody();
            input_ = "hello";
            CPPUNIT_ASSERT(second.advance() == Progress::failed);
            CPPUNIT_ASSERT_EQUAL(503, second.error().status());
        }
        RequestReader third(limits_, share());
        CPPUNIT_ASSERT(supply(third, post("hello")) == Progress::head);
        CPPUNIT_ASSERT(third.expectBody(third.takeHead(), maxBody, BodyBudget::Share(small, Realm::worker)));
        CPPUNIT_ASSERT(third.advance() == Progress::body);
    }

    void testWhatABodyIsTakenApartIntoCounts() {
        constexpr std::size_t size = 40'000;
        const auto read = [&](const std::string& body) {
            RequestReader reader(limits_, share());
            CPPUNIT_ASSERT(supply(reader, post(body)) == Progress::head);
            CPPUNIT_ASSERT(reader.expectBody(reader.takeHead(), size, share()));
            return reader.advance() == Progress::body ? 200 : reader.error().status();
        };
        std::string numbers = "[0";
        while (numbers.size() < size - 3) {
            numbers += ",0";
        }
        CPPUNIT_ASSERT_EQUAL(200, read('"' + std::string(size - 2, 'x') + '"'));
        // 20,000 values need more than a megabyte once each has been looked at, which is never to be had
        // here.
        CPPUNIT_ASSERT_EQUAL(413, read(numbers + "]"));
        CPPUNIT_ASSERT_EQUAL(200, read(numbers.substr(0, size / 4) + "]"));
    }

    void testBodiesOfAJobTakeFromItsShare() {
        const auto account = std::make_shared<BodyBudget::Account>(budget_.perJob());
        RequestReader reader(limits_, share());
        CPPUNIT_ASSERT(supply(reader, post("hello")) == Progress::head);
        CPPUNIT_ASSERT(reader.expectBody(reader.takeHead(), maxBody, {budget_, Realm::worker, account}));
        CPPUNIT_ASSERT(reader.advance() == Progress::failed);
        CPPUNIT_ASSERT_EQUAL(429, reader.error().status());
        CPPUNIT_ASSERT(reader.error().retryAfter());
    }

    void testWhatIsKeptTakesFromTheBudget() {
        BodyBudget small(std::size_t{6} * 1024);
        RequestReader first(limits_, {small, Realm::worker});
        RequestReader second(limits_, {small, Realm::worker});
        CPPUNIT_ASSERT(supply(first, "GET /") == Progress::starved);
        CPPUNIT_ASSERT(first.store());
        CPPUNIT_ASSERT(supply(second, "GET /") == Progress::starved);
        CPPUNIT_ASSERT(!second.store());
        CPPUNIT_ASSERT(supply(first, " HTTP/1.1\r\nHost: a\r\n\r\n") == Progress::head);
        CPPUNIT_ASSERT(first.store());
        CPPUNIT_ASSERT(second.store());
    }

    void testReadsNoMoreThanItCanUse() {
        RequestReader reader(limits_, share());
        const auto head = reader.appetite();
        CPPUNIT_ASSERT(head >= 1024 && head <= limits_.maxHeaderBytes + limits_.maxUriBytes);
        CPPUNIT_ASSERT(supply(reader, post("hello").substr(0, post("hello").size() - 3)) == Progress::head);
        CPPUNIT_ASSERT(expectBody(reader));
        CPPUNIT_ASSERT(reader.advance() == Progress::starved);
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, reader.appetite());
    }

    void testWhatIsStoredOutlivesItsInput() {
        RequestReader reader(limits_, share());
        CPPUNIT_ASSERT(supply(reader, get + "GET /la") == Progress::head);
        static_cast<void>(reader.takeHead());
        CPPUNIT_ASSERT(reader.store());
        std::fill(input_.begin(), input_.end(), '!');
        reader.nextRequest();
        CPPUNIT_ASSERT(reader.advance() == Progress::starved);
        CPPUNIT_ASSERT(supply(reader, "st HTTP/1.1\r\nHost: a\r\n\r\n") == Progress::head);
        CPPUNIT_ASSERT_EQUAL(std::string("/last"), reader.takeHead().path);
    }

    void testSecretInputIsOverwritten() {
        RequestReader reader(limits_, share());
        CPPUNIT_ASSERT(supply(reader, post("hello")) == Progress::head);
        CPPUNIT_ASSERT(expectBody(reader));
        reader.keepSecret();
        CPPUNIT_ASSERT(reader.advance() == Progress::body);
        CPPUNIT_ASSERT(reader.store());
        CPPUNIT_ASSERT_EQUAL(std::string(post("hello").size(), '\0'), input_);
        CPPUNIT_ASSERT_EQUAL(std::string("hello"), reader.takeBody().text);
    }

    void testDiscardForgetsEverything() {
        RequestReader reader(limits_, share());
        CPPUNIT_ASSERT(supply(reader, post("hello").substr(0, post("hello").size() - 1)) == Progress::head);
        CPPUNIT_ASSERT(expectBody(reader));
        CPPUNIT_ASSERT(reader.advance() == Progress::starved);
        reader.discard();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, reader.buffered());
        CPPUNIT_ASSERT_EQUAL(std::string(), reader.takeBody().text);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RequestReaderTest);

}  // namespace sallyport::tests
