#include "host/http/listening_socket.h"

#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/loopback.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::host::http {
namespace {

class ListeningSocketTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ListeningSocketTest);
    CPPUNIT_TEST(testTellsWhereItIsReached);
    CPPUNIT_TEST(testKnowsASocketThatFits);
    CPPUNIT_TEST(testAFreePortFitsEachOfTheHost);
    CPPUNIT_TEST(testTellsSocketsOfBothFamiliesApart);
    CPPUNIT_TEST(testAUnixSocketMustBeReachedByItsFile);
    CPPUNIT_TEST(testRemovesTheFileUnlessTheSocketIsKept);
    CPPUNIT_TEST(testReplacesAStaleFileOnly);
    CPPUNIT_TEST(testEndsListeningForAll);
    CPPUNIT_TEST_SUITE_END();

    static ListenAddress at(const std::string& text) { return ListenAddress::parse(text).value(); }

    static FileDescriptor copyOf(const ListeningSocket& socket) {
        return FileDescriptor(::fcntl(socket.descriptor(), F_DUPFD_CLOEXEC, 0));
    }

    [[nodiscard]] ListenAddress file() const { return at("unix:" + (places_ / "s").string()); }

    [[nodiscard]] bool fileIsThere() const { return ::access((places_ / "s").c_str(), F_OK) == 0; }

    static std::string refusal(const ListenAddress& address) {
        try {
            const ListeningSocket socket(address, {});
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return {};
    }

    void testTellsWhereItIsReached() {
        const ListeningSocket everywhere(at("0.0.0.0:0"), {});
        CPPUNIT_ASSERT(everywhere.url().starts_with("http://127.0.0.1:"));
        CPPUNIT_ASSERT(!everywhere.url().ends_with(":0"));
        CPPUNIT_ASSERT(ListeningSocket(at("[::]:0"), {}).url().starts_with("http://[::1]:"));
        CPPUNIT_ASSERT_EQUAL(file().text(), ListeningSocket(file(), {}).url());
    }

    void testKnowsASocketThatFits() {
        const ListeningSocket socket(at("127.0.0.1:0"), {});
        const ListenAddress same = at(socket.url().substr(7));
        CPPUNIT_ASSERT(ListeningSocket::matches(socket.descriptor(), same, {}));
        const std::uint16_t another = tests::portOf(tests::boundSocket());
        for (const ListenAddress& other :
             {same.withPort(another), at("127.0.0.2:" + std::to_string(same.port())),
              at("0.0.0.0:" + std::to_string(same.port())), at("[::1]:" + std::to_string(same.port())),
              file()}) {
            CPPUNIT_ASSERT_MESSAGE(other.text(), !ListeningSocket::matches(socket.descriptor(), other, {}));
        }
        // Goes on as the same.
        const ListeningSocket next(copyOf(socket), same, {});
        CPPUNIT_ASSERT_EQUAL(socket.url(), next.url());

        const auto bound = tests::boundSocket();
        const ListenAddress itsAddress = at("127.0.0.1:" + std::to_string(tests::portOf(bound)));
        CPPUNIT_ASSERT_MESSAGE("does not listen", !ListeningSocket::matches(bound.get(), itsAddress, {}));
        CPPUNIT_ASSERT_MESSAGE("no socket", !ListeningSocket::matches(STDERR_FILENO, itsAddress, {}));
        CPPUNIT_ASSERT_MESSAGE("no descriptor", !ListeningSocket::matches(-1, itsAddress, {}));
    }

    static void testAFreePortFitsEachOfTheHost() {
        const ListeningSocket socket(at("127.0.0.1:0"), {});
        CPPUNIT_ASSERT(ListeningSocket::matches(socket.descriptor(), at("127.0.0.1:0"), {}));
        CPPUNIT_ASSERT(!ListeningSocket::matches(socket.descriptor(), at("127.0.0.2:0"), {}));
    }

    static void testTellsSocketsOfBothFamiliesApart() {
        const ListeningSocket::Options alone{.ipv6Only = true};
        const ListeningSocket both(at("[::]:0"), {});
        CPPUNIT_ASSERT(ListeningSocket::matches(both.descriptor(), at("[::]:0"), {}));
        CPPUNIT_ASSERT(!ListeningSocket::matches(both.descriptor(), at("[::]:0"), alone));
        const ListeningSocket six(at("[::]:0"), alone);
        CPPUNIT_ASSERT(!ListeningSocket::matches(six.descriptor(), at("[::]:0"), {}));
        CPPUNIT_ASSERT(ListeningSocket::matches(six.descriptor(), at("[::]:0"), alone));
    }

    void testAUnixSocketMustBeReachedByItsFile() {
        const ListeningSocket socket(file(), {});
        CPPUNIT_ASSERT(ListeningSocket::matches(socket.descriptor(), file(), {}));
        const std::string path = file().path();
        CPPUNIT_ASSERT_EQUAL(0, ::rename(path.c_str(), (path + ".away").c_str()));
        CPPUNIT_ASSERT(!ListeningSocket::matches(socket.descriptor(), file(), {}));
        CPPUNIT_ASSERT_EQUAL(0, ::rename((path + ".away").c_str(), path.c_str()));
        CPPUNIT_ASSERT(ListeningSocket::matches(socket.descriptor(), file(), {}));
    }

    void testRemovesTheFileUnlessTheSocketIsKept() {
        ListeningSocket first(file(), {});
        const FileDescriptor kept = copyOf(first);
        first.close();
        CPPUNIT_ASSERT(fileIsThere());
        ListeningSocket second(FileDescriptor(::fcntl(kept.get(), F_DUPFD_CLOEXEC, 0)), file(), {});
        second.close();
        CPPUNIT_ASSERT(fileIsThere());
        FileDescriptor last(::fcntl(kept.get(), F_DUPFD_CLOEXEC, 0));
        CPPUNIT_ASSERT(listensAt(file().path()));
        endListening(last.get());
        CPPUNIT_ASSERT(!fileIsThere());
        { const ListeningSocket alone(file(), {}); }
        CPPUNIT_ASSERT(!fileIsThere());
    }

    void testReplacesAStaleFileOnly() {
        {
            const ListeningSocket socket(file(), {});
            CPPUNIT_ASSERT(refusal(file()).find("another process does") != std::string::npos);
            CPPUNIT_ASSERT_EQUAL(0, ::rename(file().path().c_str(), (places_ / "stale").c_str()));
        }
        CPPUNIT_ASSERT_EQUAL(0, ::rename((places_ / "stale").c_str(), file().path().c_str()));
        CPPUNIT_ASSERT(fileIsThere());
        CPPUNIT_ASSERT_EQUAL(std::string(), refusal(file()));
        tests::writeFile(places_ / "s", "precious");
        CPPUNIT_ASSERT(refusal(file()).find("is no socket") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::string("precious"), tests::readFile(places_ / "s"));
    }

    static void testEndsListeningForAll() {
        const ListeningSocket socket(at("127.0.0.1:0"), {});
        const FileDescriptor copy = copyOf(socket);
        const ListenAddress address = at(socket.url().substr(7));
        CPPUNIT_ASSERT(!refusal(address).empty());
        endListening(copy.get());
        // Both are open still, and the port is free.
        CPPUNIT_ASSERT_EQUAL(std::string(), refusal(address));
    }

    tests::TemporaryDirectory places_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(ListeningSocketTest);

}  // namespace
}  // namespace sallyport::host::http
