#include "plugins/llm/upstream/connection_pool.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/loopback.h"
#include "tests/unit/llm/socket_loop.h"

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;

class Nobody final : public Watcher {
public:
    void onEvents(IoEvents) override {}
};

class ConnectionPoolTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ConnectionPoolTest);
    CPPUNIT_TEST(testLastOneFirst);
    CPPUNIT_TEST(testKeys);
    CPPUNIT_TEST(testTooOld);
    CPPUNIT_TEST(testTooMany);
    CPPUNIT_TEST(testClosedByTheServer);
    CPPUNIT_TEST(testSpeakingUnasked);
    CPPUNIT_TEST(testGoesWithThePool);
    CPPUNIT_TEST_SUITE_END();

    SocketLoop loop_;
    Nobody nobody_;
    FileDescriptor listener_ = tests::listeningSocket();
    std::optional<ConnectionPool> pool_;
    const ConnectionPool::Time start_{1h};

public:
    void setUp() override { pool_.emplace(); }

private:
    std::unique_ptr<Socket> connect() {
        sockaddr_in address{};
        socklen_t size = sizeof address;
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        return std::make_unique<Socket>(loop_, nobody_, reinterpret_cast<const sockaddr&>(address), size);
    }

    /// Keeps a new one. @return where it was
    const Socket* keep(const std::string& key, ConnectionPool::Time now) {
        auto socket = connect();
        const Socket* const address = socket.get();
        pool_->keep(key, std::move(socket), now);
        return address;
    }

    FileDescriptor accepted() {
        return FileDescriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }

    void testLastOneFirst() {
        const Socket* const first = keep("a", start_);
        const Socket* const second = keep("a", start_ + 1s);
        CPPUNIT_ASSERT(pool_->take("a").get() == second);
        const Socket* const third = keep("a", start_ + 2s);
        CPPUNIT_ASSERT(pool_->take("a").get() == third);
        CPPUNIT_ASSERT(pool_->take("a").get() == first);
        CPPUNIT_ASSERT(pool_->take("a") == nullptr);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, loop_.watched());
    }

    void testKeys() {
        const Socket* const one = keep("a", start_);
        const Socket* const other = keep("b", start_);
        CPPUNIT_ASSERT(pool_->take("c") == nullptr);
        CPPUNIT_ASSERT(pool_->take("a").get() == one);
        CPPUNIT_ASSERT(pool_->take("a") == nullptr);
        CPPUNIT_ASSERT(pool_->take("b").get() == other);
    }

    void testTooOld() {
        CPPUNIT_ASSERT(pool_->nextPruning() == ConnectionPool::Time::max());
        keep("a", start_);
        const Socket* const younger = keep("a", start_ + 10s);
        keep("b", start_ + 5s);
        const auto age = pool_->nextPruning() - start_;
        CPPUNIT_ASSERT(age > 0s);
        pool_->prune(start_ + age - 1ns);
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, loop_.watched());
        pool_->prune(start_ + age);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, loop_.watched());
        CPPUNIT_ASSERT(pool_->nextPruning() == start_ + 5s + age);
        pool_->prune(start_ + 5s + age);
        CPPUNIT_ASSERT(pool_->take("b") == nullptr);
        CPPUNIT_ASSERT(pool_->nextPruning() == start_ + 10s + age);
        CPPUNIT_ASSERT(pool_->take("a").get() == younger);
        CPPUNIT_ASSERT(pool_->nextPruning() == ConnectionPool::Time::max());
    }

    void testTooMany() {
        pool_.emplace(3);
        const Socket* const first = keep("a", start_ + 1s);
        keep("b", start_);
        const Socket* const third = keep("b", start_ + 2s);
        const Socket* const fourth = keep("c", start_ + 3s);
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, loop_.watched());
        CPPUNIT_ASSERT(pool_->take("b").get() == third);
        CPPUNIT_ASSERT(pool_->take("b") == nullptr);
        CPPUNIT_ASSERT(pool_->take("a").get() == first);
        // Whatever has gone makes room.
        keep("d", start_ + 4s);
        keep("d", start_ + 5s);
        CPPUNIT_ASSERT(pool_->take("c").get() == fourth);
    }

    void testClosedByTheServer() {
        keep("a", start_);
        const FileDescriptor first = accepted();
        const Socket* const other = keep("a", start_ + 1s);
        const FileDescriptor second = accepted();
        ::shutdown(first.get(), SHUT_WR);
        loop_.runUntil([this] { return loop_.watched() == 1; });
        CPPUNIT_ASSERT(pool_->take("a").get() == other);
        CPPUNIT_ASSERT(pool_->take("a") == nullptr);
        CPPUNIT_ASSERT(pool_->nextPruning() == ConnectionPool::Time::max());
    }

    void testSpeakingUnasked() {
        keep("a", start_);
        const FileDescriptor peer = accepted();
        CPPUNIT_ASSERT(::send(peer.get(), "HTTP/1.1 408 Request Timeout\r\n\r\n", 32, MSG_NOSIGNAL) == 32);
        loop_.runUntil([this] { return loop_.watched() == 0; });
        CPPUNIT_ASSERT(pool_->take("a") == nullptr);
    }

    void testGoesWithThePool() {
        keep("a", start_);
        pool_.reset();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, loop_.watched());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ConnectionPoolTest);

}  // namespace
}  // namespace sallyport::plugins::llm
