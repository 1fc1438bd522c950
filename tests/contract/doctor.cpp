#include "tests/contract/doctor.h"

#include <algorithm>
#include <sstream>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

Finished doctor(const Daemon& daemon, const std::vector<std::string>& more) {
    std::vector<std::string> words{"doctor"};
    const std::vector<std::string> given = daemon.command().arguments;
    words.insert(words.end(), given.begin(), given.end());
    words.insert(words.end(), more.begin(), more.end());
    return run({.program = SALLYPORT_CLI_PATH, .arguments = words});
}

void assertFailed(const std::string& part, const Finished& finished) {
    CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 1, finished.status);
    std::istringstream lines(finished.output);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("FAILED") && line.find(part) != std::string::npos) {
            return;
        }
    }
    CPPUNIT_FAIL("no FAILED line has '" + part + "':\n" + finished.describe());
}

std::string namesIn(const std::filesystem::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    std::string all;
    for (const std::string& name : names) {
        all += name + " ";
    }
    return all;
}

}  // namespace sallyport::tests
