// A CppUnit suite whose tests are the cases of a file.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include <cppunit/TestSuite.h>
#include <cppunit/extensions/TestFactory.h>
#include <cppunit/extensions/TestFactoryRegistry.h>

#include "tests/support/case_file.h"

namespace sallyport::tests {

/// Registers a suite for as long as it lives: make it a static object. Each case of the file becomes a
/// `Test(Case)`, a CppUnit::TestCase, and is reported by its name; they run in the order of the file.
template <class Test>
class CaseSuite final : public CppUnit::TestFactory {
public:
    CaseSuite(std::string name, std::filesystem::path file) : name_(std::move(name)), file_(std::move(file)) {
        CppUnit::TestFactoryRegistry::getRegistry().registerFactory(this);
    }
    ~CaseSuite() override {
        if (CppUnit::TestFactoryRegistry::isValid()) {
            CppUnit::TestFactoryRegistry::getRegistry().unregisterFactory(this);
        }
    }
    CaseSuite(const CaseSuite&) = delete;
    CaseSuite& operator=(const CaseSuite&) = delete;

    CppUnit::Test* makeTest() override {
        auto* const suite = new CppUnit::TestSuite(name_);
        for (Case& each : readCases(file_)) {
            suite->addTest(new Test(std::move(each)));
        }
        return suite;
    }

private:
    const std::string name_;
    const std::filesystem::path file_;
};

}  // namespace sallyport::tests
