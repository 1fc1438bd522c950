#include "plugins/credentials/cipher.h"

#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins {
namespace {

Bytes unhex(std::string_view digits) {
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
    }
    return bytes;
}

std::string text(const Bytes& bytes) {
    return {bytes.begin(), bytes.end()};
}

MasterKey key(const std::string& text) {
    return MasterKey(SecretText::copyOf(text));
}

/// Made with Python's `cryptography` 48 (HKDF, AESGCM); the derived keys were also computed with `hashlib`
/// and `hmac` after RFC 5869, and were the same:
///
///     k = HKDF(SHA256(), length=32, salt=salt, info=b"near-agent-secrets-v1").derive(master)
///     value = nonce + AESGCM(k).encrypt(nonce, plain, None)
struct Vector {
    const char* master;
    const char* salt;
    const char* plain;
    const char* value;
};
constexpr Vector vectors[] = {
    {"3031323334353637383961626364656630313233343536373839616263646566303132333435363738396162636465663031323"
     "3"
     "343536373839616263646566",
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "736b2d6c6976652d30313233343536373839",
     "6465666768696a6b6c6d6e6f6a58ece1c0040429d3698773b5b62551a065601fdb6ef8d973d28ace321bec70a1e3"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     "6772c3bcc39f6520f09f94910a6c696e652074776f",
     "0000000000000000000000004eb3fb45cf687ce855b8460f5763de424a149a8de3cf8cfd79306bbf415afa14a6a49cac7e"},
    {"3031323334353637383961626364656630313233343536373839616263646566303132333435363738396162636465663031323"
     "3"
     "343536373839616263646566",
     "63479ad69a090b258277ec8fba6f99419a2ffb248981510657c944ccd1148e97", "",
     "78377b525757b494427f8901a6192f393baa6d1b812c41859f97f1a1"},
};

/// The same for the first key and salt and the info `sallyport-master-key-check`.
constexpr const char* checkValue = "80ecbc46f08a6f1b16032957d9d9cdb848c29c1e0379847e0a91f88ad98bba05";

class CipherTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CipherTest);
    CPPUNIT_TEST(testDecryptsFixedVectors);
    CPPUNIT_TEST(testRoundTrip);
    CPPUNIT_TEST(testNothingIsUsedTwice);
    CPPUNIT_TEST(testEveryBitOfAValueCounts);
    CPPUNIT_TEST(testEveryByteOfASaltCounts);
    CPPUNIT_TEST(testOtherKeyFails);
    CPPUNIT_TEST(testShortValuesFail);
    CPPUNIT_TEST(testSaltOfAnotherLengthFails);
    CPPUNIT_TEST(testShortKeyIsRefused);
    CPPUNIT_TEST(testGeneratedKeys);
    CPPUNIT_TEST(testCheckOfAFixedVector);
    CPPUNIT_TEST(testCheckKnowsItsKey);
    CPPUNIT_TEST_SUITE_END();

    const MasterKey key_ = key("0123456789abcdef0123456789abcdef");

    static void testDecryptsFixedVectors() {
        for (const Vector& vector : vectors) {
            const MasterKey master = key(text(unhex(vector.master)));
            const SecretText plain = master.decrypt({unhex(vector.value), unhex(vector.salt)});
            CPPUNIT_ASSERT_EQUAL(text(unhex(vector.plain)), std::string(plain.reveal()));
        }
    }

    void testRoundTrip() {
        for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 100'000U}) {
            const std::string plain(size, 'x');
            const EncryptedSecret encrypted = key_.encrypt(SecretText::copyOf(plain));
            CPPUNIT_ASSERT_EQUAL(size + 12 + 16, encrypted.value.size());
            CPPUNIT_ASSERT_EQUAL(std::size_t{32}, encrypted.salt.size());
            const SecretText decrypted = key_.decrypt(encrypted);
            CPPUNIT_ASSERT_EQUAL(plain, std::string(decrypted.reveal()));
        }
    }

    void testNothingIsUsedTwice() {
        std::set<Bytes> salts;
        std::set<Bytes> nonces;
        std::set<Bytes> values;
        for (int i = 0; i < 100; ++i) {
            const EncryptedSecret encrypted = key_.encrypt(SecretText::copyOf("the same"));
            salts.insert(encrypted.salt);
            nonces.insert(Bytes(encrypted.value.begin(), encrypted.value.begin() + 12));
            values.insert(encrypted.value);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{100}, salts.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{100}, nonces.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{100}, values.size());
    }

    /// Nonce, ciphertext and tag alike.
    void testEveryBitOfAValueCounts() {
        const EncryptedSecret good = key_.encrypt(SecretText::copyOf("a secret"));
        for (std::size_t bit = 0; bit < good.value.size() * 8; ++bit) {
            EncryptedSecret bad = good;
            bad.value[bit / 8] = static_cast<std::uint8_t>(bad.value[bit / 8] ^ (1U << (bit % 8)));
            CPPUNIT_ASSERT_THROW_MESSAGE("bit " + std::to_string(bit), static_cast<void>(key_.decrypt(bad)),
                                         DecryptionFailed);
        }
    }

    void testEveryByteOfASaltCounts() {
        const EncryptedSecret good = key_.encrypt(SecretText::copyOf("a secret"));
        for (std::size_t at = 0; at < good.salt.size(); ++at) {
            EncryptedSecret bad = good;
            bad.salt[at] ^= 1U;
            CPPUNIT_ASSERT_THROW(static_cast<void>(key_.decrypt(bad)), DecryptionFailed);
        }
    }

    void testOtherKeyFails() {
        const EncryptedSecret encrypted = key_.encrypt(SecretText::copyOf("a secret"));
        CPPUNIT_ASSERT_THROW(static_cast<void>(MasterKey::generated().decrypt(encrypted)), DecryptionFailed);
        // A line end that was not taken off makes another key.
        CPPUNIT_ASSERT_THROW(static_cast<void>(key("0123456789abcdef0123456789abcdef\n").decrypt(encrypted)),
                             DecryptionFailed);
    }

    void testShortValuesFail() {
        const EncryptedSecret good = key_.encrypt(SecretText::copyOf("a secret"));
        for (std::size_t size = 0; size < good.value.size(); ++size) {
            EncryptedSecret bad = good;
            bad.value.resize(size);
            CPPUNIT_ASSERT_THROW_MESSAGE("size " + std::to_string(size), static_cast<void>(key_.decrypt(bad)),
                                         DecryptionFailed);
        }
    }

    void testSaltOfAnotherLengthFails() {
        EncryptedSecret bad = key_.encrypt(SecretText::copyOf("a secret"));
        bad.salt.clear();
        CPPUNIT_ASSERT_THROW(static_cast<void>(key_.decrypt(bad)), DecryptionFailed);
        bad.salt.assign(33, 0);
        CPPUNIT_ASSERT_THROW(static_cast<void>(key_.decrypt(bad)), DecryptionFailed);
    }

    static void testShortKeyIsRefused() {
        CPPUNIT_ASSERT_THROW(key(std::string(31, 'k')), std::invalid_argument);
        CPPUNIT_ASSERT_THROW(key(""), std::invalid_argument);
        CPPUNIT_ASSERT_NO_THROW(key(std::string(32, 'k')));
    }

    static void testGeneratedKeys() {
        const MasterKey generated = MasterKey::generated();
        CPPUNIT_ASSERT_EQUAL(std::size_t{64}, generated.text().size());
        CPPUNIT_ASSERT(generated.text().reveal().find_first_not_of("0123456789abcdef") ==
                       std::string_view::npos);
        const MasterKey another = MasterKey::generated();
        CPPUNIT_ASSERT(generated.text().reveal() != another.text().reveal());
    }

    static void testCheckOfAFixedVector() {
        const KeyCheck check{unhex(checkValue), unhex(vectors[0].salt)};
        CPPUNIT_ASSERT(key(text(unhex(vectors[0].master))).matches(check));
        CPPUNIT_ASSERT(!key(text(unhex(vectors[1].master))).matches(check));
    }

    void testCheckKnowsItsKey() {
        const KeyCheck check = key_.makeCheck();
        CPPUNIT_ASSERT(key_.matches(check));
        CPPUNIT_ASSERT(check.value != key_.makeCheck().value);
        CPPUNIT_ASSERT(!MasterKey::generated().matches(check));
        KeyCheck changed = check;
        changed.value.back() ^= 1U;
        CPPUNIT_ASSERT(!key_.matches(changed));
        CPPUNIT_ASSERT(!key_.matches({{}, {}}));
        CPPUNIT_ASSERT(!key_.matches({check.value, {}}));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CipherTest);

}  // namespace
}  // namespace sallyport::plugins
