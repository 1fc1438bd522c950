// Answers of providers, as their documentation shows them.
#pragma once

#include <fstream>
#include <iterator>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {

/// The content of a file in tests/support/data/llm.
inline std::string recorded(const std::string& name) {
    std::ifstream file(std::string(SALLYPORT_SOURCE_DIR) + "/tests/support/data/llm/" + name,
                       std::ios::binary);
    CPPUNIT_ASSERT_MESSAGE(name, file.is_open());
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace sallyport::plugins::llm
