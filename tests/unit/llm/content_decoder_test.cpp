#include "plugins/llm/upstream/content_decoder.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <zlib.h>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

constexpr int zlibFormat = MAX_WBITS;
constexpr int gzipFormat = MAX_WBITS + 16;
constexpr int rawFormat = -MAX_WBITS;

std::string compressed(const std::string& text, int format) {
    z_stream stream{};
    CPPUNIT_ASSERT_EQUAL(
        Z_OK, deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY));
    std::string bytes(text.size() + 1024, '\0');
    std::string input = text;
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
    stream.avail_out = static_cast<uInt>(bytes.size());
    const int result = deflate(&stream, Z_FINISH);
    bytes.resize(stream.total_out);
    deflateEnd(&stream);
    CPPUNIT_ASSERT_EQUAL(Z_STREAM_END, result);
    return bytes;
}

/// Text that does not become much smaller.
std::string longText() {
    std::string text;
    for (unsigned i = 0; text.size() < 200'000; ++i) {
        text += std::to_string(i * 2654435761U);
    }
    return text;
}

/// Adds in pieces of `size` bytes. @return the text, and whether that was all or broken, behind it
std::string decode(std::string_view bytes, std::size_t size) {
    const auto decoder = ContentDecoder::of("gzip");
    std::string text;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size()))) {
        decoder->add(bytes.substr(0, size));
        if (!decoder->decode([&](std::string_view piece) { text += piece; }, [] { return true; })) {
            return text + " broken";
        }
        CPPUNIT_ASSERT(decoder->idle());
    }
    return text + (decoder->complete() ? " complete" : " incomplete");
}

/// However it is cut into pieces, it has to come out the same.
void expectDecoded(const std::string& expected, const std::string& bytes) {
    for (const std::size_t size : {bytes.size(), std::size_t{1}, std::size_t{7}}) {
        CPPUNIT_ASSERT_MESSAGE(expected.substr(0, 100),
                               expected == decode(bytes, std::max<std::size_t>(size, 1)));
    }
}

class ContentDecoderTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ContentDecoderTest);
    CPPUNIT_TEST(testCodings);
    CPPUNIT_TEST(testIdentity);
    CPPUNIT_TEST(testFormats);
    CPPUNIT_TEST(testMembers);
    CPPUNIT_TEST(testBroken);
    CPPUNIT_TEST(testCutShort);
    CPPUNIT_TEST(testNothing);
    CPPUNIT_TEST(testHeldBack);
    CPPUNIT_TEST(testHeldBackAtTheEndOfAMember);
    CPPUNIT_TEST_SUITE_END();

    static void testCodings() {
        for (const char* const coding : {"gzip", "x-gzip", "deflate", "GZip", " gzip ", "Deflate\t"}) {
            CPPUNIT_ASSERT_MESSAGE(coding, ContentDecoder::of(coding) != nullptr);
            CPPUNIT_ASSERT_MESSAGE(coding, !ContentDecoder::isIdentity(coding));
        }
        for (const char* const coding :
             {"br", "zstd", "compress", "gzip, gzip", "identity, gzip", "gzip;q=1", "g"}) {
            CPPUNIT_ASSERT_MESSAGE(coding, ContentDecoder::of(coding) == nullptr);
            CPPUNIT_ASSERT_MESSAGE(coding, !ContentDecoder::isIdentity(coding));
        }
    }

    static void testIdentity() {
        for (const char* const coding : {"identity", "Identity", " identity ", "", "  "}) {
            CPPUNIT_ASSERT_MESSAGE(coding, ContentDecoder::isIdentity(coding));
            CPPUNIT_ASSERT_MESSAGE(coding, ContentDecoder::of(coding) == nullptr);
        }
    }

    static void testFormats() {
        for (const std::string& text :
             {std::string("hello"), std::string(), longText(), std::string(300'000, ' ')}) {
            expectDecoded(text + " complete", compressed(text, gzipFormat));
            expectDecoded(text + " complete", compressed(text, zlibFormat));
        }
    }

    static void testMembers() {
        const std::string first = compressed("one,", gzipFormat);
        const std::string second = compressed("two", gzipFormat);
        expectDecoded("one,two complete", first + second);
        expectDecoded("one, incomplete", first + second.substr(0, 10));
        expectDecoded("one,two complete", first + compressed("", gzipFormat) + second);
    }

    static void testBroken() {
        const std::string good = compressed("hello", gzipFormat);
        std::string badSum = good;
        badSum[good.size() - 8] = static_cast<char>(badSum[good.size() - 8] ^ 1);
        std::string badLength = good;
        badLength[good.size() - 1] = static_cast<char>(badLength[good.size() - 1] ^ 1);
        expectDecoded("hello broken", badSum);
        expectDecoded("hello broken", badLength);
        expectDecoded("hello broken", good + "rubbish");
        expectDecoded(" broken", "{\"not\":\"compressed\"}");
        expectDecoded(" broken", compressed("hello", rawFormat));
        // zlib's format, and a dictionary that nobody has.
        expectDecoded(" broken", std::string("\x78\xbb\x06\x2c\x02\x15\x00", 7));
    }

    static void testCutShort() {
        for (const int format : {gzipFormat, zlibFormat}) {
            const std::string bytes = compressed("hello", format);
            for (std::size_t size = 1; size < bytes.size(); ++size) {
                const std::string outcome = decode(std::string_view(bytes).substr(0, size), size);
                CPPUNIT_ASSERT_MESSAGE(outcome, outcome.ends_with(" incomplete"));
            }
        }
    }

    static void testNothing() {
        // An empty body is none that was compressed, whatever its head says.
        const auto decoder = ContentDecoder::of("gzip");
        CPPUNIT_ASSERT(decoder->complete());
        CPPUNIT_ASSERT(decoder->idle());
        decoder->add("\x1f");
        CPPUNIT_ASSERT(!decoder->idle());
        CPPUNIT_ASSERT(!decoder->complete());
    }

    static void testHeldBack() {
        // A bomb: a few bytes that stand for very many. It takes no more memory than a piece of what it is.
        constexpr std::size_t size = 20'000'000;
        const std::string bytes = compressed(std::string(size, ' '), gzipFormat);
        const auto decoder = ContentDecoder::of("gzip");
        decoder->add(bytes);
        std::size_t handedOn = 0;
        bool wanted = true;
        const auto handOn = [&](std::string_view piece) {
            CPPUNIT_ASSERT(piece.size() <= 64 * 1024);
            handedOn += piece.size();
            wanted = false;
        };
        std::size_t pieces = 0;
        for (; handedOn < size; ++pieces) {
            CPPUNIT_ASSERT(!decoder->idle());
            wanted = true;
            const std::size_t before = handedOn;
            CPPUNIT_ASSERT(decoder->decode(handOn, [&] { return wanted; }));
            CPPUNIT_ASSERT(handedOn > before);
            CPPUNIT_ASSERT(handedOn - before <= 64 * 1024);
            CPPUNIT_ASSERT(decoder->decode(handOn, [&] { return wanted; }));
        }
        CPPUNIT_ASSERT(pieces > 100);
        wanted = true;
        CPPUNIT_ASSERT(decoder->decode(handOn, [&] { return wanted; }));
        CPPUNIT_ASSERT_EQUAL(size, handedOn);
        CPPUNIT_ASSERT(decoder->idle());
        CPPUNIT_ASSERT(decoder->complete());
    }

    static void testHeldBackAtTheEndOfAMember() {
        const auto decoder = ContentDecoder::of("gzip");
        decoder->add(compressed("one", gzipFormat) + compressed("two", gzipFormat));
        std::string text;
        const auto handOn = [&](std::string_view piece) { text += piece; };
        CPPUNIT_ASSERT(decoder->decode(handOn, [&] { return text.empty(); }));
        CPPUNIT_ASSERT_EQUAL(std::string("one"), text);
        CPPUNIT_ASSERT(!decoder->idle());
        CPPUNIT_ASSERT(decoder->decode(handOn, [] { return true; }));
        CPPUNIT_ASSERT_EQUAL(std::string("onetwo"), text);
        CPPUNIT_ASSERT(decoder->complete());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ContentDecoderTest);

}  // namespace
}  // namespace sallyport::plugins::llm
