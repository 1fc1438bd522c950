#include "host/http/door.h"

#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::http;
using namespace std::chrono_literals;

class DoorTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DoorTest);
    CPPUNIT_TEST(testOldestAnonymousGivesWay);
    CPPUNIT_TEST(testNewcomersHaveAMomentToSayWhoTheyAre);
    CPPUNIT_TEST(testStrangersHaveNoMomentLeft);
    CPPUNIT_TEST(testWhoeverSaidWhoItIsStays);
    CPPUNIT_TEST(testForgottenIsAnonymousAgain);
    CPPUNIT_TEST(testAddressGivesWayToItself);
    CPPUNIT_TEST(testJobHasABound);
    CPPUNIT_TEST(testAccountsAreJobsOperatorsNewcomersAndAddresses);
    CPPUNIT_TEST(testEvictionBeforeAnybodyListens);
    CPPUNIT_TEST(testLoopThatIsFarBehindIsNotPushedFurther);
    CPPUNIT_TEST(testDescriptorsSuffice);
    CPPUNIT_TEST(testOperatorsKeepPlaces);
    CPPUNIT_TEST_SUITE_END();

    using Place = std::unique_ptr<Door::Place>;
    using Clock = Door::Clock;
    const JobId job_ = JobId::random();
    Clock::time_point now_{};

    static Door::Options options(std::size_t connections, std::size_t perJob = 0,
                                 std::size_t perAddress = 0) {
        return {.maxConnections = connections, .maxPerJob = perJob, .maxPerAddress = perAddress};
    }

    /// One more, a second later each.
    Place enter(Door& door, std::string address = "a") {
        now_ += 1s;
        return door.enter(std::move(address), now_);
    }

    /// Takes down which of them have to go.
    static void record(std::vector<int>& gone, int number, Place& place) {
        place->onEvicted([&gone, number] { gone.push_back(number); });
    }

public:
    void testOldestAnonymousGivesWay() {
        Door door(options(3));
        std::vector<int> gone;
        std::vector<Place> places;
        for (int i = 0; i < 5; ++i) {
            places.push_back(enter(door));
            CPPUNIT_ASSERT(places.back());
            record(gone, i, places.back());
        }
        CPPUNIT_ASSERT((gone == std::vector{0, 1}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{5}, door.connections());
        places.clear();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, door.connections());
    }

    void testNewcomersHaveAMomentToSayWhoTheyAre() {
        Door door(options(1));
        const auto first = door.enter("a", now_);
        CPPUNIT_ASSERT(!door.enter("a", now_ + 99ms));
        CPPUNIT_ASSERT(door.enter("a", now_ + 100ms));
    }

    void testStrangersHaveNoMomentLeft() {
        Door door(options(3));
        std::vector<int> gone;
        std::vector<Place> places;
        for (int i = 0; i < 3; ++i) {
            places.push_back(door.enter("a", now_));
            record(gone, i, places.back());
        }
        places[2]->asked();
        places[1]->asked();
        places[0]->asked();
        CPPUNIT_ASSERT(places[0]->authenticate(&job_));
        const auto first = door.enter("b", now_);
        CPPUNIT_ASSERT(first);
        CPPUNIT_ASSERT((gone == std::vector{2}));
        const auto second = door.enter("b", now_);
        CPPUNIT_ASSERT(second);
        CPPUNIT_ASSERT((gone == std::vector{2, 1}));
        CPPUNIT_ASSERT(!door.enter("b", now_));
    }

    void testWhoeverSaidWhoItIsStays() {
        Door door(options(2));
        std::vector<int> gone;
        auto known = enter(door);
        auto operators = enter(door);
        record(gone, 0, known);
        record(gone, 1, operators);
        CPPUNIT_ASSERT(known->authenticate(&job_));
        CPPUNIT_ASSERT(operators->authenticate(nullptr));
        CPPUNIT_ASSERT(!enter(door));
        CPPUNIT_ASSERT(gone.empty());
        known.reset();
        CPPUNIT_ASSERT(enter(door));
    }

    void testForgottenIsAnonymousAgain() {
        Door door(options(1, 1));
        std::vector<int> gone;
        auto place = enter(door);
        record(gone, 0, place);
        CPPUNIT_ASSERT(place->authenticate(&job_));
        CPPUNIT_ASSERT(place->isOf(job_));
        place->forget();
        CPPUNIT_ASSERT(!place->isAuthenticated());
        const auto other = door.enter("a", Clock::now() + 1min);
        CPPUNIT_ASSERT(other);
        CPPUNIT_ASSERT((gone == std::vector{0}));
        CPPUNIT_ASSERT(other->authenticate(&job_));
    }

    void testAddressGivesWayToItself() {
        Door door(options(100, 0, 2));
        std::vector<int> gone;
        std::vector<Place> places;
        for (const char* address : {"a", "b", "b", "c", "b", "", "", ""}) {
            places.push_back(enter(door, address));
            CPPUNIT_ASSERT(places.back());
            record(gone, static_cast<int>(places.size()) - 1, places.back());
        }
        CPPUNIT_ASSERT((gone == std::vector{1}));
        // Those that have said who they are do not count.
        CPPUNIT_ASSERT(places[2]->authenticate(nullptr));
        CPPUNIT_ASSERT(enter(door, "b"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, gone.size());
    }

    void testAccountsAreJobsOperatorsNewcomersAndAddresses() {
        Door door(options(100));
        const JobId other = JobId::random();
        const auto one = enter(door, "a");
        const auto two = enter(door, "a");
        const auto three = enter(door, "b");
        CPPUNIT_ASSERT_EQUAL(newcomersAccount, one->account());
        CPPUNIT_ASSERT_EQUAL(newcomersAccount, three->account());
        for (const auto* place : {&one, &two, &three}) {
            (*place)->asked();
        }
        const auto anonymous = one->account();
        CPPUNIT_ASSERT(anonymous != newcomersAccount);
        CPPUNIT_ASSERT_EQUAL(anonymous, two->account());
        CPPUNIT_ASSERT(anonymous != three->account());
        CPPUNIT_ASSERT(one->authenticate(&job_));
        CPPUNIT_ASSERT(three->authenticate(&job_));
        CPPUNIT_ASSERT_EQUAL(one->account(), three->account());
        CPPUNIT_ASSERT(one->account() != anonymous);
        CPPUNIT_ASSERT(two->authenticate(&other));
        CPPUNIT_ASSERT(one->account() != two->account());
        CPPUNIT_ASSERT(two->authenticate(nullptr));
        CPPUNIT_ASSERT_EQUAL(operatorsAccount, two->account());
        two->asked();
        CPPUNIT_ASSERT_EQUAL(operatorsAccount, two->account());
        one->forget();
        CPPUNIT_ASSERT_EQUAL(anonymous, one->account());
    }

    void testJobHasABound() {
        Door door(options(100, 2));
        const JobId other = JobId::random();
        auto first = enter(door);
        auto second = enter(door);
        auto third = enter(door);
        CPPUNIT_ASSERT(first->authenticate(&job_));
        CPPUNIT_ASSERT(second->authenticate(&job_));
        CPPUNIT_ASSERT(first->authenticate(&job_));
        CPPUNIT_ASSERT(!third->authenticate(&job_));
        CPPUNIT_ASSERT(!third->isAuthenticated());
        CPPUNIT_ASSERT(third->authenticate(&other));
        // A connection counts for the job that it was last used by.
        CPPUNIT_ASSERT(second->authenticate(&other));
        CPPUNIT_ASSERT(enter(door)->authenticate(&job_));
        first.reset();
        second.reset();
        CPPUNIT_ASSERT(third->authenticate(&job_));
    }

    void testEvictionBeforeAnybodyListens() {
        Door door(options(1));
        std::vector<int> gone;
        auto first = enter(door);
        const auto second = enter(door);
        CPPUNIT_ASSERT(second);
        record(gone, 0, first);
        CPPUNIT_ASSERT((gone == std::vector{0}));
    }

    void testLoopThatIsFarBehindIsNotPushedFurther() {
        Door door(options(1));
        std::vector<Place> places;
        while (auto place = enter(door)) {
            places.push_back(std::move(place));
            CPPUNIT_ASSERT(places.size() < 10'000);
        }
        CPPUNIT_ASSERT(places.size() > 1);
        places.clear();
        CPPUNIT_ASSERT(enter(door));
    }

    void testDescriptorsSuffice() {
        auto worker = options(4096);
        auto operators = options(4096);
        CPPUNIT_ASSERT(!fitToDescriptors(worker, operators, 65'536));
        CPPUNIT_ASSERT_EQUAL(std::size_t{4096}, worker.maxConnections);
        CPPUNIT_ASSERT_EQUAL(std::size_t{4096}, operators.maxConnections);
    }

    void testOperatorsKeepPlaces() {
        for (const auto& [workers, ops] : {std::pair<std::size_t, std::size_t>{4096, 4096},
                                           {1'000'000, 10},
                                           {10, 1'000'000},
                                           {1'000'000, 1'000'000}}) {
            auto worker = options(workers);
            auto operators = options(ops);
            CPPUNIT_ASSERT(fitToDescriptors(worker, operators, 1024));
            CPPUNIT_ASSERT(worker.maxConnections + operators.maxConnections <= 768);
            CPPUNIT_ASSERT(operators.maxConnections >= std::min<std::size_t>(ops, 128));
            CPPUNIT_ASSERT(worker.maxConnections >= std::min<std::size_t>(workers, 640));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DoorTest);

}  // namespace sallyport::tests
