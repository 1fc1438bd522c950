#include "plugins/llm/upstream/resolver.h"

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <netinet/in.h>

#include <arpa/inet.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/recording_log.h>

#include "host/testing/io_thread.h"

namespace sallyport::plugins::llm {
namespace {

class ResolverTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ResolverTest);
    CPPUNIT_TEST(testAddressesAtOnce);
    CPPUNIT_TEST(testName);
    CPPUNIT_TEST(testWhatIsFoundIsRemembered);
    CPPUNIT_TEST(testWhatIsNotFoundIsNot);
    CPPUNIT_TEST(testAskingAgainWhenTold);
    CPPUNIT_TEST(testNobodyIsToldAfterItsEnd);
    CPPUNIT_TEST_SUITE_END();

    testing::RecordingLog log_;
    std::shared_ptr<IoLoop> loop_;
    std::optional<Resolver> resolver_;

public:
    void setUp() override {
        loop_ = testing::ioThreads(1, log_)[0];
        onLoop([this] { resolver_.emplace([this](auto task) { loop_->post(std::move(task)); }); });
    }
    void tearDown() override {
        onLoop([this] { resolver_.reset(); });
    }

private:
    /// Runs on the loop's thread, and waits until it has.
    void onLoop(const std::function<void()>& function) {
        std::promise<void> done;
        loop_->post([&] {
            function();
            done.set_value();
        });
        done.get_future().wait();
    }

    /// Asks, and waits for the answer.
    Addresses ask(const std::string& host) {
        std::promise<Addresses> answer;
        onLoop(
            [&] { resolver_->resolve(host, 80, [&](const Addresses& found) { answer.set_value(found); }); });
        return answer.get_future().get();
    }

    /// What is found before the question is over; nothing if that is later.
    std::optional<Addresses> askAtOnce(const std::string& host) {
        std::optional<Addresses> found;
        const auto asking = std::make_shared<bool>(true);
        onLoop([&] {
            resolver_->resolve(host, 443, [&found, asking](const Addresses& answer) {
                if (*asking) {
                    found = answer;
                }
            });
            *asking = false;
        });
        return found;
    }

    void testAddressesAtOnce() {
        const auto ipv4 = askAtOnce("192.0.2.1");
        CPPUNIT_ASSERT(ipv4 && ipv4->problem.empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, ipv4->found.size());
        const auto& address = reinterpret_cast<const sockaddr_in&>(ipv4->found[0].storage);
        CPPUNIT_ASSERT_EQUAL(int{AF_INET}, int{address.sin_family});
        CPPUNIT_ASSERT_EQUAL(443, int{ntohs(address.sin_port)});
        CPPUNIT_ASSERT_EQUAL(std::uint32_t{0xc0000201}, ntohl(address.sin_addr.s_addr));
        const auto ipv6 = askAtOnce("2001:db8::1");
        CPPUNIT_ASSERT(ipv6 && ipv6->problem.empty());
        CPPUNIT_ASSERT_EQUAL(int{AF_INET6}, int{ipv6->found.at(0).storage.ss_family});
        CPPUNIT_ASSERT_EQUAL(socklen_t{sizeof(sockaddr_in6)}, ipv6->found[0].size);
    }

    void testName() {
        const Addresses found = ask("localhost");
        CPPUNIT_ASSERT_EQUAL(std::string(), found.problem);
        CPPUNIT_ASSERT(!found.found.empty());
        for (const SocketAddress& address : found.found) {
            const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address.storage);
            const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address.storage);
            CPPUNIT_ASSERT(address.storage.ss_family == AF_INET6
                               ? IN6_IS_ADDR_LOOPBACK(&ipv6.sin6_addr)
                               : ntohl(ipv4.sin_addr.s_addr) >> 24U == 127U);
        }
    }

    void testWhatIsFoundIsRemembered() {
        CPPUNIT_ASSERT(!askAtOnce("localhost"));
        // The next question waits for the same answer.
        ask("localhost");
        onLoop([] {});
        std::promise<void> found;
        onLoop([&] { resolver_->resolve("localhost", 443, [&](const Addresses&) { found.set_value(); }); });
        found.get_future().wait();
        CPPUNIT_ASSERT(askAtOnce("localhost"));
        CPPUNIT_ASSERT(askAtOnce("localhost")->problem.empty());
    }

    void testWhatIsNotFoundIsNot() {
        // A label that is too long for a name, so that nobody is asked for it.
        const std::string name = std::string(70, 'a') + ".invalid";
        const Addresses answer = ask(name);
        CPPUNIT_ASSERT(answer.found.empty());
        CPPUNIT_ASSERT_MESSAGE(answer.problem, answer.problem.starts_with(name + ": "));
        CPPUNIT_ASSERT(!ask(name).problem.empty());
        CPPUNIT_ASSERT(!askAtOnce(name));
    }

    void testAskingAgainWhenTold() {
        // As for a call that begins the next one, whose server has another name.
        std::promise<void> told;
        onLoop([&] {
            resolver_->resolve("localhost", 1, [&](const Addresses&) {
                for (std::uint16_t port = 2; port < 100; ++port) {
                    resolver_->resolve("localhost", port, [](const Addresses&) {});
                }
                resolver_->resolve("localhost", 1, [&](const Addresses&) { told.set_value(); });
            });
        });
        told.get_future().wait();
    }

    void testNobodyIsToldAfterItsEnd() {
        bool told = false;
        for (int i = 0; i < 50; ++i) {
            onLoop([&] {
                resolver_->resolve("localhost", 1, [&](const Addresses&) { told = true; });
                resolver_.reset();
                resolver_.emplace([this](auto task) { loop_->post(std::move(task)); });
            });
            onLoop([] {});
        }
        CPPUNIT_ASSERT(!told);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ResolverTest);

}  // namespace
}  // namespace sallyport::plugins::llm
