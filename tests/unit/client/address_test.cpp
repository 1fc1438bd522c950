#include "host/client/address.h"

#include <stdexcept>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::client {

class AddressTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AddressTest);
    CPPUNIT_TEST(testReadsTcpAddresses);
    CPPUNIT_TEST(testReadsUnixAddresses);
    CPPUNIT_TEST(testRefusesWhatIsNone);
    CPPUNIT_TEST(testKnowsAWorkersAddress);
    CPPUNIT_TEST_SUITE_END();

    void testReadsTcpAddresses() {
        const Address plain = Address::parse("http://127.0.0.1:50052");
        CPPUNIT_ASSERT_EQUAL(std::string("127.0.0.1"), plain.host);
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{50052}, plain.port);
        CPPUNIT_ASSERT_EQUAL(std::string("127.0.0.1:50052"), plain.authority());
        CPPUNIT_ASSERT(plain.basePath.empty());

        const Address ipv6 = Address::parse("http://[::1]:8080/");
        CPPUNIT_ASSERT_EQUAL(std::string("::1"), ipv6.host);
        CPPUNIT_ASSERT_EQUAL(std::string("[::1]:8080"), ipv6.authority());
        CPPUNIT_ASSERT(ipv6.basePath.empty());

        const Address behindProxy = Address::parse("http://example.org/sallyport/");
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{80}, behindProxy.port);
        CPPUNIT_ASSERT_EQUAL(std::string("/sallyport"), behindProxy.basePath);
    }

    void testReadsUnixAddresses() {
        const Address address = Address::parse("unix:/run/sallyport/operator.sock");
        CPPUNIT_ASSERT(address.unixSocket);
        CPPUNIT_ASSERT_EQUAL(std::string("/run/sallyport/operator.sock"), address.path);
        CPPUNIT_ASSERT_EQUAL(std::string("localhost"), address.authority());
    }

    void testRefusesWhatIsNone() {
        for (const char* text :
             {"", "127.0.0.1:50052", "ftp://host", "http://", "unix:relative", "unix:", "http://u:p@host:1",
              "http://host:1/?q=1", "http://host:1/#f", "https://host:1", "http://host:99999999",
              "http://127.0.0.1:50051/worker/3f2b8c1e-0000-4000-8000-000000000000"}) {
            CPPUNIT_ASSERT_THROW_MESSAGE(text, static_cast<void>(Address::parse(text)),
                                         std::invalid_argument);
        }
    }

    void testKnowsAWorkersAddress() {
        CPPUNIT_ASSERT(isWorkerAddress("http://10.0.0.1:50051/worker/3f2b8c1e-0000-4000-8000-000000000000"));
        CPPUNIT_ASSERT(!isWorkerAddress("http://10.0.0.1:50052"));
        CPPUNIT_ASSERT(!isWorkerAddress("unix:/run/worker/s"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AddressTest);

}  // namespace sallyport::host::client
