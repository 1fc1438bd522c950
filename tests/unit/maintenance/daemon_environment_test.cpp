#include "host/doctor/daemon_environment.h"

#include <cstdlib>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/temporary_directory.h"

namespace sallyport::host::doctor {

/// As far as that can be seen without a daemon, and without the unit's credentials.
class DaemonEnvironmentTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DaemonEnvironmentTest);
    CPPUNIT_TEST(testKnowsWhatSystemdHandsOver);
    CPPUNIT_TEST(testKnowsNothingWhereNothingIsHandedOver);
    CPPUNIT_TEST(testKnowsItsOwnVariables);
    CPPUNIT_TEST_SUITE_END();

    using Presence = Examination::Given::Presence;

public:
    void tearDown() override {
        ::unsetenv("CREDENTIALS_DIRECTORY");
        ::unsetenv("SALLYPORT_TEST_KEY");
    }

    void testKnowsWhatSystemdHandsOver() {
        tests::writeFile(here_ / "sallyport-master-key", "a key\n");
        tests::writeFile(here_ / "other-key", "somebody else's");
        CPPUNIT_ASSERT_EQUAL(0, ::setenv("CREDENTIALS_DIRECTORY", here_.path().c_str(), 1));
        const auto environment = DaemonEnvironment::around(data());
        const auto given = environment.credential("sallyport-master-key");
        CPPUNIT_ASSERT(given.presence == Presence::present);
        CPPUNIT_ASSERT_EQUAL(std::string("a key\n"), std::string(given.value->reveal()));
        for (const char* name : {"sallyport-other", "other-key", "../data", ""}) {
            CPPUNIT_ASSERT(environment.credential(name).presence == Presence::absent);
        }
    }

    void testKnowsNothingWhereNothingIsHandedOver() {
        ::unsetenv("CREDENTIALS_DIRECTORY");
        const auto environment = DaemonEnvironment::around(data());
        CPPUNIT_ASSERT(environment.credential("sallyport-master-key").presence == Presence::absent);
    }

    /// They are those of a daemon that would be started from here.
    void testKnowsItsOwnVariables() {
        ::setenv("SALLYPORT_TEST_KEY", "a key", 1);
        const auto environment = DaemonEnvironment::around(data());
        const auto given = environment.variable("SALLYPORT_TEST_KEY", false);
        CPPUNIT_ASSERT(given.presence == Presence::present);
        CPPUNIT_ASSERT_EQUAL(std::string("a key"), std::string(given.value->reveal()));
        CPPUNIT_ASSERT(environment.variable("SALLYPORT_NO_KEY", false).presence == Presence::unseen);
        // One that runs has its own, which cannot be seen.
        CPPUNIT_ASSERT(environment.variable("SALLYPORT_TEST_KEY", true).presence == Presence::unseen);
    }

private:
    [[nodiscard]] std::string data() const { return (here_ / "data").string(); }

    tests::TemporaryDirectory here_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(DaemonEnvironmentTest);

}  // namespace sallyport::host::doctor
