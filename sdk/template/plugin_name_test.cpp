// Tests of the plugin plugin_name, without a daemon.
#include <cstdlib>
#include <string>

#include <cppunit/extensions/HelperMacros.h>
#include <cppunit/ui/text/TestRunner.h>

#include <sallyport/testing/fake_host.h>

/// What the plugin's source exports.
extern "C" const sallyport::PluginDescriptor sallyport_plugin;

namespace {

using namespace sallyport;

class PluginNameTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginNameTest);
    CPPUNIT_TEST(testGreetsTheOwnerOfTheJob);
    CPPUNIT_TEST(testGreetsAnOperator);
    CPPUNIT_TEST(testGreetsAsTheConfigurationSays);
    CPPUNIT_TEST_SUITE_END();

public:
    void testGreetsTheOwnerOfTheJob() {
        testing::FakeHost host(sallyport_plugin);
        host.start();
        const testing::Answer answer = host.worker(host.makeJob("alice"), "GET", "/plugin_name");
        CPPUNIT_ASSERT_EQUAL(200, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string("Hello, alice"), answer.json().string("greeting"));
    }

    void testGreetsAnOperator() {
        testing::FakeHost host(sallyport_plugin);
        host.start();
        const testing::Answer answer = host.operators("bob", Role::viewer, "GET", "/plugin_name");
        CPPUNIT_ASSERT_EQUAL(std::string("Hello, bob"), answer.json().string("greeting"));
    }

    void testGreetsAsTheConfigurationSays() {
        testing::FakeHost host(sallyport_plugin, {{"plugin_name.greeting", "Welcome"}});
        host.start();
        const testing::Answer answer = host.worker(host.makeJob("alice"), "GET", "/plugin_name");
        CPPUNIT_ASSERT_EQUAL(std::string("Welcome, alice"), answer.json().string("greeting"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginNameTest);

}  // namespace

int main() {
    CppUnit::TextTestRunner runner;
    runner.addTest(CppUnit::TestFactoryRegistry::getRegistry().makeTest());
    return runner.run() ? EXIT_SUCCESS : EXIT_FAILURE;
}
