// Assertions that the tests of this room share.
#pragma once

#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>

#include "plugins/llm/chat.h"
#include "plugins/llm/dialect.h"

namespace sallyport::plugins::llm {

/// Fails unless `act` throws a RequestError of that status whose sentence has `part` in it.
template <class F>
void expectRefused(int status, const std::string& part, F act) {
    try {
        act();
    } catch (const RequestError& error) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(error.what(), status, error.status());
        CPPUNIT_ASSERT_MESSAGE(error.what(), std::string(error.what()).find(part) != std::string::npos);
        return;
    }
    CPPUNIT_FAIL("not refused: " + part);
}

/// Fails unless `act` throws BadAnswer with `part` in its sentence.
template <class F>
void expectBadAnswer(const std::string& part, F act) {
    try {
        act();
    } catch (const BadAnswer& error) {
        CPPUNIT_ASSERT_MESSAGE(error.what(), std::string(error.what()).find(part) != std::string::npos);
        return;
    }
    CPPUNIT_FAIL("not refused: " + part);
}

inline void expectUsage(std::int64_t input, std::int64_t output, std::int64_t cacheRead,
                        std::int64_t cacheWrite, const Usage& usage) {
    CPPUNIT_ASSERT_EQUAL_MESSAGE("input", input, usage.input);
    CPPUNIT_ASSERT_EQUAL_MESSAGE("output", output, usage.output);
    CPPUNIT_ASSERT_EQUAL_MESSAGE("cache read", cacheRead, usage.cacheRead);
    CPPUNIT_ASSERT_EQUAL_MESSAGE("cache write", cacheWrite, usage.cacheWrite);
}

inline void expectFinish(const std::string& word, FinishReason reason) {
    CPPUNIT_ASSERT_EQUAL(word, std::string(name(reason)));
}

/// What came out of a decoder: the pieces in one line, and the whole.
struct Decoded {
    std::string pieces;
    Completion completion;
};

/// Feeds a stream to a decoder in pieces of `size` bytes. Text shows as itself, a tool call as <index id
/// name>, and a piece of arguments as <index arguments>.
inline Decoded decode(const Dialect& dialect, std::string_view stream, std::size_t size) {
    Decoded result;
    const auto decoder = dialect.decoder();
    while (!stream.empty()) {
        decoder->feed(stream.substr(0, size), [&](const Delta& delta) {
            if (!delta.toolCall) {
                result.pieces += delta.text + '|';
                return;
            }
            const ToolCallDelta& call = *delta.toolCall;
            result.pieces += '<' + std::to_string(call.index) + ' ' +
                             (call.id.empty() ? call.arguments : call.id + ' ' + call.name) + '>';
        });
        stream.remove_prefix(std::min(size, stream.size()));
    }
    result.completion = decoder->finish();
    return result;
}

}  // namespace sallyport::plugins::llm
