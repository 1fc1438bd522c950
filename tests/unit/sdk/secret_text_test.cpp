#include <algorithm>
#include <cstdlib>
#include <new>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/log.h>
#include <sallyport/secret_text.h>

namespace {

/// What an array held in the moment in which its memory was given back.
struct Watch {
    const void* memory = nullptr;
    std::size_t size = 0;
    std::string seen;
};
Watch* watch = nullptr;

void release(void* memory) noexcept {
    if (watch != nullptr && watch->memory == memory && memory != nullptr) {
        watch->seen.assign(static_cast<const char*>(memory), watch->size);
    }
    std::free(memory);
}

}  // namespace

void* operator new[](std::size_t size) {
    if (void* const memory = std::malloc(std::max<std::size_t>(size, 1))) {
        return memory;
    }
    throw std::bad_alloc();
}
void operator delete[](void* memory) noexcept {
    release(memory);
}
void operator delete[](void* memory, std::size_t /*size*/) noexcept {
    release(memory);
}

namespace sallyport {
namespace {

template <class T>
concept Streamable = requires(std::ostream& stream, const T& value) {
    stream << value;
};
template <class T>
concept Joinable = requires(const std::string& text, const T& value) {
    text + value;
};

// Each of these lets a secret out without anybody having written reveal().
static_assert(Streamable<std::string>);
static_assert(!Streamable<SecretText>);
static_assert(!Joinable<SecretText>);
static_assert(!std::is_convertible_v<SecretText, std::string>);
static_assert(!std::is_convertible_v<SecretText, std::string_view>);
static_assert(!std::is_constructible_v<std::string, SecretText>);
static_assert(!std::is_constructible_v<LogField, const char*, SecretText>);
static_assert(!std::is_copy_constructible_v<SecretText>);
static_assert(!std::is_copy_assignable_v<SecretText>);
static_assert(std::is_nothrow_move_constructible_v<SecretText>);
static_assert(std::is_nothrow_move_assignable_v<SecretText>);

class SecretTextTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SecretTextTest);
    CPPUNIT_TEST(testHoldsText);
    CPPUNIT_TEST(testIsWipedWhenItGoes);
    CPPUNIT_TEST(testIsWipedWhenItIsReplaced);
    CPPUNIT_TEST(testMovingLeavesNoCopy);
    CPPUNIT_TEST(testTakenStringIsWiped);
    CPPUNIT_TEST(testWipeReachesWhatTheStringHeldBefore);
    CPPUNIT_TEST(testWipedAtExit);
    CPPUNIT_TEST_SUITE_END();

    const std::string secret_ = "a secret that is longer than any string keeps in itself";

    static bool isZero(const std::string& text) {
        return std::all_of(text.begin(), text.end(), [](char c) { return c == '\0'; });
    }

    void testHoldsText() {
        const SecretText text = SecretText::copyOf(secret_);
        CPPUNIT_ASSERT_EQUAL(secret_, std::string(text.reveal()));
        CPPUNIT_ASSERT_EQUAL(secret_.size(), text.size());
        CPPUNIT_ASSERT(!text.empty());
        CPPUNIT_ASSERT(SecretText().empty());
        CPPUNIT_ASSERT(SecretText().size() == 0);
        SecretText filled(3);
        CPPUNIT_ASSERT_EQUAL(std::string(3, '\0'), std::string(filled.reveal()));
        std::copy_n("abc", 3, filled.bytes().data());
        CPPUNIT_ASSERT_EQUAL(std::string("abc"), std::string(filled.reveal()));
    }

    void testIsWipedWhenItGoes() {
        Watch seen;
        {
            const SecretText text = SecretText::copyOf(secret_);
            seen = {text.reveal().data(), text.size(), {}};
            watch = &seen;
        }
        watch = nullptr;
        CPPUNIT_ASSERT_EQUAL(secret_.size(), seen.seen.size());
        CPPUNIT_ASSERT(isZero(seen.seen));
    }

    void testIsWipedWhenItIsReplaced() {
        SecretText text = SecretText::copyOf(secret_);
        Watch seen{text.reveal().data(), text.size(), {}};
        watch = &seen;
        text = SecretText::copyOf("other");
        watch = nullptr;
        CPPUNIT_ASSERT_EQUAL(secret_.size(), seen.seen.size());
        CPPUNIT_ASSERT(isZero(seen.seen));
        CPPUNIT_ASSERT_EQUAL(std::string("other"), std::string(text.reveal()));
    }

    void testMovingLeavesNoCopy() {
        // Short enough for a std::string to carry it along in itself, and leave it behind.
        SecretText text = SecretText::copyOf("short");
        const char* const memory = text.reveal().data();
        SecretText moved = std::move(text);
        CPPUNIT_ASSERT(moved.reveal().data() == memory);
        SecretText assigned;
        assigned = std::move(moved);
        CPPUNIT_ASSERT(assigned.reveal().data() == memory);
        CPPUNIT_ASSERT_EQUAL(std::string("short"), std::string(assigned.reveal()));
        CPPUNIT_ASSERT(text.empty());   // NOLINT(bugprone-use-after-move)
        CPPUNIT_ASSERT(moved.empty());  // NOLINT(bugprone-use-after-move)
    }

    void testTakenStringIsWiped() {
        std::string source = secret_;
        const char* const memory = source.data();
        const SecretText text = SecretText::taken(source);
        CPPUNIT_ASSERT_EQUAL(secret_, std::string(text.reveal()));
        CPPUNIT_ASSERT(source.empty());
        CPPUNIT_ASSERT(source.data() == memory);
        CPPUNIT_ASSERT(isZero(std::string(memory, secret_.size())));
    }

    void testWipeReachesWhatTheStringHeldBefore() {
        std::string text = secret_;
        text.resize(4);
        const char* const memory = text.data();
        wipe(text);
        CPPUNIT_ASSERT(text.empty());
        CPPUNIT_ASSERT(text.data() == memory);
        CPPUNIT_ASSERT(isZero(std::string(memory, secret_.size())));
    }

    void testWipedAtExit() {
        std::string text = secret_;
        try {
            const WipedAtExit wiped(text);
            throw std::bad_alloc();
        } catch (const std::bad_alloc&) {
            CPPUNIT_ASSERT(text.empty());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SecretTextTest);

}  // namespace
}  // namespace sallyport
