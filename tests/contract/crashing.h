// Daemons that crash in a plugin's code.
#pragma once

#include <cstddef>
#include <string>

#include <cppunit/TestAssert.h>

#include "tests/support/daemon.h"

namespace sallyport::tests {

/// Has a request crash the daemon, and starts it again. @return the line that it left behind.
inline std::string crash(Daemon& daemon, const Request& request, const Endpoint& endpoint) {
    const std::size_t before = daemon.log().size();
    Connection connection(endpoint);
    connection.send(request.bytes());
    CPPUNIT_ASSERT(daemon.awaitExit() != 0);
    const std::string log = daemon.log();
    const std::size_t found = log.find("a plugin crashed plugin=", before);
    CPPUNIT_ASSERT_MESSAGE(log, found != std::string::npos);
    daemon.start();
    return log.substr(found, log.find('\n', found) - found);
}

}  // namespace sallyport::tests
