#include "host/plugins/services.h"

#include <chrono>
#include <memory>
#include <stdexcept>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::plugins {
namespace {

using namespace std::chrono_literals;

class ServicesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ServicesTest);
    CPPUNIT_TEST(testFindsWhatIsProvided);
    CPPUNIT_TEST(testOneProviderAtATime);
    CPPUNIT_TEST(testWhoHoldsItKeepsTheProviderFromBeingStopped);
    CPPUNIT_TEST(testOutlivesItsRemovalWhileItIsHeld);
    CPPUNIT_TEST(testProvidersAreDestroyedWithoutTheLock);
    CPPUNIT_TEST_SUITE_END();

    ServiceDirectory services_;
    const std::shared_ptr<http::Gate> gate_ = std::make_shared<http::Gate>("provider");
    const int owner_ = 0;
    const int other_ = 0;

    void testFindsWhatIsProvided() {
        const auto provided = std::make_shared<int>(7);
        services_.add("seven", &owner_, gate_, provided);
        CPPUNIT_ASSERT(services_.find("seven").get() == provided.get());
        CPPUNIT_ASSERT(!services_.find("eight"));
        services_.remove(&other_);
        CPPUNIT_ASSERT(services_.find("seven"));
        services_.remove(&owner_);
        CPPUNIT_ASSERT(!services_.find("seven"));
    }

    void testOneProviderAtATime() {
        services_.add("seven", &owner_, gate_, std::make_shared<int>(7));
        CPPUNIT_ASSERT_THROW(services_.add("seven", &other_, gate_, std::make_shared<int>(8)),
                             std::logic_error);
    }

    void testWhoHoldsItKeepsTheProviderFromBeingStopped() {
        services_.add("seven", &owner_, gate_, std::make_shared<int>(7));
        auto held = services_.find("seven");
        gate_->hold();
        CPPUNIT_ASSERT(!gate_->waitIdle(0ms));
        held.reset();
        CPPUNIT_ASSERT(gate_->waitIdle(0ms));
    }

    void testOutlivesItsRemovalWhileItIsHeld() {
        auto provided = std::make_shared<int>(7);
        const std::weak_ptr<int> watched = provided;
        services_.add("seven", &owner_, gate_, std::move(provided));
        auto held = services_.find("seven");
        services_.remove(&owner_);
        CPPUNIT_ASSERT_EQUAL(7, *std::static_pointer_cast<int>(held));
        held.reset();
        CPPUNIT_ASSERT(watched.expired());
    }

    void testProvidersAreDestroyedWithoutTheLock() {
        struct Asks {
            ServiceDirectory& services;
            int& asked;
            ~Asks() { asked += services.find("nothing") ? 0 : 1; }
        };
        int asked = 0;
        services_.add("asks", &owner_, gate_, std::shared_ptr<Asks>(new Asks{services_, asked}));
        CPPUNIT_ASSERT_THROW(
            services_.add("asks", &other_, gate_, std::shared_ptr<Asks>(new Asks{services_, asked})),
            std::logic_error);
        services_.remove(&owner_);
        CPPUNIT_ASSERT_EQUAL(2, asked);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ServicesTest);

}  // namespace
}  // namespace sallyport::host::plugins
