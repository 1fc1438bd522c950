// Runs the unit tests that are linked in: all of them, or the suites that are named, without their
// namespaces.
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <cppunit/BriefTestProgressListener.h>
#include <cppunit/CompilerOutputter.h>
#include <cppunit/Test.h>
#include <cppunit/TestResult.h>
#include <cppunit/TestResultCollector.h>
#include <cppunit/extensions/TestFactoryRegistry.h>

namespace {

CppUnit::Test& suite(const CppUnit::Test& all, std::string_view wanted) {
    for (int i = 0; i < all.getChildTestCount(); ++i) {
        CppUnit::Test& test = *all.getChildTestAt(i);
        const std::string name = test.getName();
        const auto colon = name.rfind(':');
        if (wanted == name.substr(colon == std::string::npos ? 0 : colon + 1)) {
            return test;
        }
    }
    throw std::invalid_argument("there is no suite " + std::string(wanted));
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const std::unique_ptr<CppUnit::Test> all(CppUnit::TestFactoryRegistry::getRegistry().makeTest());
        CppUnit::TestResult events;
        CppUnit::TestResultCollector results;
        CppUnit::BriefTestProgressListener progress;
        events.addListener(&results);
        events.addListener(&progress);
        if (argc == 1) {
            all->run(&events);
        }
        for (int i = 1; i < argc; ++i) {
            suite(*all, argv[i]).run(&events);
        }
        CppUnit::CompilerOutputter(&results, std::cerr).write();
        return results.wasSuccessful() ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
