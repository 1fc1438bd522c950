#include "host/auth/sessions.h"

#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::auth {

using namespace std::chrono_literals;

class SessionsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionsTest);
    CPPUNIT_TEST(testIsFoundByItsSecretAlone);
    CPPUNIT_TEST(testEndsWhenIdle);
    CPPUNIT_TEST(testEveryUseKeepsIt);
    CPPUNIT_TEST(testEndsWithItsLifetimeInAnyCase);
    CPPUNIT_TEST(testEndsWithItsToken);
    CPPUNIT_TEST(testIsClosedAtOnce);
    CPPUNIT_TEST(testOldestOfATokenGivesWay);
    CPPUNIT_TEST(testOldestOfAllGivesWay);
    CPPUNIT_TEST(testOverdueOnesAreToldOf);
    CPPUNIT_TEST_SUITE_END();

    using Clock = Sessions::Clock;

    Sessions sessions_{{.idleTimeout = 10min, .lifetime = 1h, .perToken = 2, .total = 3}};
    const Clock::time_point start_ = Clock::now();
    int told_ = 0;

    static OperatorToken token(std::int64_t id) {
        OperatorToken made;
        made.id = id;
        made.user = "alice";
        made.role = Role::user;
        return made;
    }

    Sessions::Opened open(std::int64_t id) { return sessions_.open(token(id), start_); }

    bool finds(const Sessions::Opened& opened, std::chrono::minutes after = 0min) {
        return sessions_.use(digest(opened.secret), start_ + after) == opened.session;
    }

public:
    void setUp() override {
        sessions_.onEnded([this] { ++told_; });
    }

    void testIsFoundByItsSecretAlone() {
        const auto one = open(1);
        const auto other = open(1);
        CPPUNIT_ASSERT_EQUAL(std::size_t{64}, one.secret.size());
        CPPUNIT_ASSERT(one.secret != other.secret);
        CPPUNIT_ASSERT(one.session->csrfToken != other.session->csrfToken);
        CPPUNIT_ASSERT(one.session->csrfToken != one.secret);
        CPPUNIT_ASSERT(finds(one));
        CPPUNIT_ASSERT(finds(other));
        CPPUNIT_ASSERT(!sessions_.use(digest(newToken()), start_));
        CPPUNIT_ASSERT(!sessions_.use(digest(one.session->csrfToken), start_));
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), one.session->token.user);
    }

    void testEndsWhenIdle() {
        const auto opened = open(1);
        CPPUNIT_ASSERT(!finds(opened, 10min));
    }

    void testEveryUseKeepsIt() {
        const auto opened = open(1);
        for (const auto after : {9min, 18min, 27min, 36min, 45min, 54min}) {
            CPPUNIT_ASSERT(finds(opened, after));
        }
    }

    void testEndsWithItsLifetimeInAnyCase() {
        const auto opened = open(1);
        for (const auto after : {9min, 18min, 27min, 36min, 45min, 54min, 59min}) {
            CPPUNIT_ASSERT(finds(opened, after));
        }
        CPPUNIT_ASSERT(!finds(opened, 60min));
    }

    void testEndsWithItsToken() {
        auto its = token(1);
        const auto opened = sessions_.open(its, start_);
        const auto other = sessions_.open(token(2), start_);
        its.lease->revoked = true;
        CPPUNIT_ASSERT(opened.session->lease->ended());
        CPPUNIT_ASSERT(!finds(opened));
        CPPUNIT_ASSERT(finds(other));
        sessions_.endOverdue(start_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, sessions_.count());
    }

    void testIsClosedAtOnce() {
        const auto opened = open(1);
        const auto other = open(1);
        sessions_.close(*opened.session);
        CPPUNIT_ASSERT(opened.session->lease->ended());
        CPPUNIT_ASSERT(!finds(opened));
        CPPUNIT_ASSERT(finds(other));
        CPPUNIT_ASSERT(!other.session->lease->ended());
        CPPUNIT_ASSERT_EQUAL(1, told_);
        sessions_.close(*opened.session);
        CPPUNIT_ASSERT_EQUAL(1, told_);
    }

    void testOldestOfATokenGivesWay() {
        const auto first = open(1);
        const auto second = open(1);
        const auto third = open(1);
        CPPUNIT_ASSERT(first.session->lease->ended());
        CPPUNIT_ASSERT_EQUAL(1, told_);
        CPPUNIT_ASSERT(!finds(first));
        CPPUNIT_ASSERT(finds(second));
        CPPUNIT_ASSERT(finds(third));
    }

    void testOldestOfAllGivesWay() {
        const auto first = open(1);
        const auto second = open(2);
        const auto third = open(3);
        const auto fourth = open(4);
        CPPUNIT_ASSERT(first.session->lease->ended());
        CPPUNIT_ASSERT(finds(second));
        CPPUNIT_ASSERT(finds(third));
        CPPUNIT_ASSERT(finds(fourth));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, sessions_.count());
    }

    void testOverdueOnesAreToldOf() {
        const auto opened = open(1);
        sessions_.endOverdue(start_ + 9min);
        CPPUNIT_ASSERT_EQUAL(0, told_);
        CPPUNIT_ASSERT(!opened.session->lease->ended());
        sessions_.endOverdue(start_ + 10min);
        CPPUNIT_ASSERT_EQUAL(1, told_);
        CPPUNIT_ASSERT(opened.session->lease->ended());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, sessions_.count());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SessionsTest);

}  // namespace sallyport::host::auth
