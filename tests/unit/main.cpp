// Runs the unit tests that are linked in: all of them, or the suites that are named.
#include <cstdlib>
#include <exception>
#include <iostream>

#include <cppunit/BriefTestProgressListener.h>
#include <cppunit/CompilerOutputter.h>
#include <cppunit/TestResult.h>
#include <cppunit/TestResultCollector.h>
#include <cppunit/TestRunner.h>
#include <cppunit/extensions/TestFactoryRegistry.h>

int main(int argc, char** argv) {
    try {
        CppUnit::TestRunner runner;
        runner.addTest(CppUnit::TestFactoryRegistry::getRegistry().makeTest());
        CppUnit::TestResult events;
        CppUnit::TestResultCollector results;
        CppUnit::BriefTestProgressListener progress;
        events.addListener(&results);
        events.addListener(&progress);
        for (int i = 1; i < argc; ++i)
            runner.run(events, std::string("sallyport::tests::") + argv[i]);
        if (argc == 1)
            runner.run(events);
        CppUnit::CompilerOutputter(&results, std::cerr).write();
        return results.wasSuccessful() ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
