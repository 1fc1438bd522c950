// Runs the contract's tests against the real daemon: all of them, or the suites and tests that are named
// (`SeedTest`, `SeedTest::health_requires_no_auth`).
#include <cstdlib>
#include <exception>
#include <iostream>

#include <cppunit/BriefTestProgressListener.h>
#include <cppunit/CompilerOutputter.h>
#include <cppunit/TestResult.h>
#include <cppunit/TestResultCollector.h>
#include <cppunit/TestRunner.h>
#include <cppunit/extensions/TestFactoryRegistry.h>

#include "tests/support/daemon.h"

namespace {

/// Whether every daemon that was started ended well.
bool daemonsEndedWell() {
    sallyport::tests::endSharedDaemons();
    const auto failures = sallyport::tests::Daemon::failures();
    for (const auto& failure : failures) {
        std::cerr << failure << '\n';
    }
    return failures.empty();
}

bool runTests(int argc, char** argv) {
    CppUnit::Test* all = CppUnit::TestFactoryRegistry::getRegistry().makeTest();
    CppUnit::TestRunner runner;
    runner.addTest(all);
    CppUnit::TestResult events;
    CppUnit::TestResultCollector results;
    CppUnit::BriefTestProgressListener progress;
    events.addListener(&results);
    events.addListener(&progress);
    for (int i = 1; i < argc; ++i) {
        runner.run(events, std::string("sallyport::tests::") + argv[i]);
    }
    if (argc == 1) {
        runner.run(events);
    }
    CppUnit::CompilerOutputter(&results, std::cerr).write();
    return results.wasSuccessful();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const bool passed = runTests(argc, argv);
        return daemonsEndedWell() && passed ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
