// A fixture for tests that need no daemon of their own.
#pragma once

#include <optional>

#include <cppunit/TestFixture.h>

#include "tests/support/daemon.h"
#include "tests/support/jobs.h"

namespace sallyport::tests {

/// Gives each test the shared daemon and its first admin. CppUnit makes all fixtures before any test
/// runs, so nothing is started before `setUp`.
class SharedDaemonTest : public CppUnit::TestFixture {
public:
    void setUp() override { admin_.emplace(operatorClient(daemon())); }
    void tearDown() override { admin_.reset(); }

protected:
    static Daemon& daemon() { return sharedDaemon(); }
    Client& admin() { return *admin_; }

private:
    std::optional<Client> admin_;
};

}  // namespace sallyport::tests
