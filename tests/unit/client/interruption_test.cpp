#include "host/client/interruption.h"

#include <chrono>
#include <thread>

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::client {

class InterruptionTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(InterruptionTest);
    CPPUNIT_TEST(testSleepsToTheEndWhenNobodyAsks);
    CPPUNIT_TEST(testEndsASleep);
    CPPUNIT_TEST(testEndsARead);
    CPPUNIT_TEST(testIsSeenByAReadThatStartsLater);
    CPPUNIT_TEST(testComesFromCtrlC);
    CPPUNIT_TEST(testLeavesTheSecondCtrlCAlone);
    CPPUNIT_TEST_SUITE_END();

    static constexpr auto forEver = std::chrono::hours(1);

    void testSleepsToTheEndWhenNobodyAsks() {
        const Interruption interruption;
        CPPUNIT_ASSERT(!interruption.sleep(std::chrono::milliseconds(1)));
    }

    void testEndsASleep() {
        Interruption interruption;
        std::thread other([&] { interruption.request(); });
        CPPUNIT_ASSERT(interruption.sleep(forEver));
        other.join();
    }

    void testEndsARead() {
        int pair[2];
        CPPUNIT_ASSERT_EQUAL(0, ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        Interruption interruption;
        const Interruption::Guard guard(interruption, pair[0]);
        std::thread other([&] { interruption.request(); });
        char byte = 0;
        CPPUNIT_ASSERT_EQUAL(ssize_t{0}, ::recv(pair[0], &byte, 1, 0));
        other.join();
        ::close(pair[0]);
        ::close(pair[1]);
    }

    void testIsSeenByAReadThatStartsLater() {
        int pair[2];
        CPPUNIT_ASSERT_EQUAL(0, ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        Interruption interruption;
        interruption.request();
        const Interruption::Guard guard(interruption, pair[0]);
        char byte = 0;
        CPPUNIT_ASSERT_EQUAL(ssize_t{0}, ::recv(pair[0], &byte, 1, 0));
        ::close(pair[0]);
        ::close(pair[1]);
    }

    void testComesFromCtrlC() {
        Interruption interruption;
        const InterruptOnSignal ctrlC(interruption, SIGINT);
        ::raise(SIGINT);
        CPPUNIT_ASSERT(interruption.requested());
    }

    void testLeavesTheSecondCtrlCAlone() {
        Interruption interruption;
        const InterruptOnSignal ctrlC(interruption, SIGINT);
        ::raise(SIGINT);
        struct sigaction action {};
        ::sigaction(SIGINT, nullptr, &action);
        CPPUNIT_ASSERT(action.sa_handler == SIG_DFL);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(InterruptionTest);

}  // namespace sallyport::host::client
