#include "host/client/locate.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <unistd.h>

#include <Poco/TemporaryFile.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/client/failure.h"

namespace sallyport::host::client {

class LocateTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LocateTest);
    CPPUNIT_TEST(testFindsBothInTheDefaultPlace);
    CPPUNIT_TEST(testReadsDataDirFromTheConfiguration);
    CPPUNIT_TEST(testExpandsReferencesInTheConfiguration);
    CPPUNIT_TEST(testPrefersTheCommandLineThenTheEnvironment);
    CPPUNIT_TEST(testAsksForNothingWhenAllIsGiven);
    CPPUNIT_TEST(testPassesOverAWorkersVariables);
    CPPUNIT_TEST(testSendsTheLocalTokenThroughTheSocketOnly);
    CPPUNIT_TEST(testTrustsRootAndTheOwnerAtASocketThatItFound);
    CPPUNIT_TEST(testTakesTheDefaultSocketForTheInstalledDaemon);
    CPPUNIT_TEST(testTakesThePortForATokenThatWasGiven);
    CPPUNIT_TEST(testSaysWhereItLooked);
    CPPUNIT_TEST(testSaysWhichConfigurationIsMissing);
    CPPUNIT_TEST(testRefusesAnAddressThatIsNone);
    CPPUNIT_TEST(testRefusesATokenThatIsNone);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        places_.config = path("installed.properties");
        places_.dataDir = path("default");
        places_.socket = path("run/operator.sock");
        fill("default", "unix:/run/1", "default-token");
    }

    void tearDown() override { std::filesystem::remove_all(root_); }

    void testFindsBothInTheDefaultPlace() {
        const Access access = find();
        CPPUNIT_ASSERT_EQUAL(std::string("unix:/run/1"), access.address.text);
        CPPUNIT_ASSERT_EQUAL(std::string("default-token"), access.token);
        CPPUNIT_ASSERT_EQUAL(path("default") + "/operator.socket", access.addressOrigin);
        CPPUNIT_ASSERT_EQUAL(path("default") + "/operator.token", access.tokenOrigin);
    }

    void testReadsDataDirFromTheConfiguration() {
        fill("installed", "unix:/run/a", "a");
        fill("named", "unix:/run/b", "b");
        fill("optioned", "unix:/run/c", "c");
        write("installed.properties", "data.dir = " + path("installed") + "\n");
        CPPUNIT_ASSERT_EQUAL(std::string("a"), find().token);

        write("named.properties", "data.dir = " + path("named") + "\n");
        environment_["SALLYPORT_CONFIG"] = path("named.properties");
        CPPUNIT_ASSERT_EQUAL(std::string("b"), find().token);

        write("optioned.properties", "data.dir = " + path("optioned") + "\n");
        options_.config = path("optioned.properties");
        CPPUNIT_ASSERT_EQUAL(std::string("c"), find().token);

        write("optioned.properties", "log.level = info\n");
        CPPUNIT_ASSERT_EQUAL(std::string("default-token"), find().token);
    }

    void testExpandsReferencesInTheConfiguration() {
        fill("deep/data", "unix:/run/d", "d");
        write("installed.properties", "base = " + path("deep") + "\ndata.dir = ${base}/data\n");
        CPPUNIT_ASSERT_EQUAL(std::string("d"), find().token);
    }

    void testPrefersTheCommandLineThenTheEnvironment() {
        fill("variable", "unix:/run/2", "variable-dir-token");
        fill("option", "unix:/run/3", "option-dir-token");
        write("token", "file-token\r\n");
        environment_["SALLYPORT_DATA_DIR"] = path("variable");
        CPPUNIT_ASSERT_EQUAL(std::string("variable-dir-token"), find().token);
        options_.dataDir = path("option");
        CPPUNIT_ASSERT_EQUAL(std::string("option-dir-token"), find().token);
        CPPUNIT_ASSERT_EQUAL(std::string("unix:/run/3"), find().address.text);

        environment_["SALLYPORT_URL"] = "http://127.0.0.1:4";
        environment_["SALLYPORT_TOKEN"] = "variable-token";
        CPPUNIT_ASSERT_EQUAL(std::string("http://127.0.0.1:4"), find().address.text);
        CPPUNIT_ASSERT_EQUAL(std::string("variable-token"), find().token);

        options_.url = "http://127.0.0.1:5";
        options_.tokenFile = path("token");
        CPPUNIT_ASSERT_EQUAL(std::string("http://127.0.0.1:5"), find().address.text);
        CPPUNIT_ASSERT_EQUAL(std::string("file-token"), find().token);
    }

    void testAsksForNothingWhenAllIsGiven() {
        options_.url = "http://127.0.0.1:5";
        options_.config = path("missing.properties");
        environment_["SALLYPORT_TOKEN"] = "t";
        CPPUNIT_ASSERT_EQUAL(std::string("t"), find().token);
    }

    void testPassesOverAWorkersVariables() {
        environment_["SALLYPORT_URL"] = "http://10.0.0.1:50051/worker/3f2b8c1e-0000-4000-8000-000000000000";
        environment_["SALLYPORT_TOKEN"] = "worker-token";
        CPPUNIT_ASSERT_EQUAL(std::string("unix:/run/1"), find().address.text);
        CPPUNIT_ASSERT_EQUAL(std::string("default-token"), find().token);

        places_.dataDir = path("nowhere");
        CPPUNIT_ASSERT(complaint().find("SALLYPORT_TOKEN were passed over") != std::string::npos);

        // With an address of one's own the variable is the operator's again.
        environment_["SALLYPORT_URL"] = "http://127.0.0.1:4";
        CPPUNIT_ASSERT_EQUAL(std::string("worker-token"), find().token);
    }

    void testSendsTheLocalTokenThroughTheSocketOnly() {
        for (const char* url :
             {"http://127.0.0.1:50052", "http://localhost:50052", "http://192.0.2.1:50052"}) {
            options_.url = url;
            CPPUNIT_ASSERT_THROW_MESSAGE(url, find(), Unreachable);
            CPPUNIT_ASSERT(complaint().find("through the daemon's own socket only") != std::string::npos);
            CPPUNIT_ASSERT(complaint().find("--token-file") != std::string::npos);
        }
        environment_["SALLYPORT_TOKEN"] = "its-token";
        CPPUNIT_ASSERT_EQUAL(std::string("its-token"), find().token);
        CPPUNIT_ASSERT(find().peers.empty());
    }

    void testTrustsRootAndTheOwnerAtASocketThatItFound() {
        const std::vector<uid_t> trusted{0, ::geteuid()};
        CPPUNIT_ASSERT(find().peers == trusted);
        CPPUNIT_ASSERT_EQUAL(path("default"), find().dataDir);
        // A token of one's own is none for everybody either.
        environment_["SALLYPORT_TOKEN"] = "t";
        CPPUNIT_ASSERT(find().peers == trusted);
        // Where somebody says so themselves, such as to the end of a tunnel, it is their decision.
        options_.url = "unix:/home/me/tunnel";
        CPPUNIT_ASSERT(find().peers.empty());
        // But not for the token in the data directory.
        environment_.clear();
        CPPUNIT_ASSERT(find().peers == trusted);
        CPPUNIT_ASSERT_EQUAL(std::string("default-token"), find().token);
    }

    void testTakesTheDefaultSocketForTheInstalledDaemon() {
        std::filesystem::remove(path("default") + "/operator.socket");
        write("run/operator.sock", "");
        CPPUNIT_ASSERT_EQUAL("unix:" + path("run/operator.sock"), find().address.text);
        CPPUNIT_ASSERT(!find().peers.empty());
        // That is where the installed daemon's is, wherever its data are.
        write("other/operator.token", "t");
        write("installed.properties", "data.dir = " + path("other") + "\n");
        CPPUNIT_ASSERT_EQUAL("unix:" + path("run/operator.sock"), find().address.text);
        CPPUNIT_ASSERT_EQUAL(path("other"), find().dataDir);
        options_.dataDir = path("other");
        CPPUNIT_ASSERT_THROW(find(), Unreachable);
    }

    void testTakesThePortForATokenThatWasGiven() {
        std::filesystem::remove(path("default") + "/operator.socket");
        write("default/operator.address", "http://127.0.0.1:1\n");
        CPPUNIT_ASSERT_THROW(find(), Unreachable);
        environment_["SALLYPORT_TOKEN"] = "t";
        CPPUNIT_ASSERT_EQUAL(std::string("http://127.0.0.1:1"), find().address.text);
        CPPUNIT_ASSERT_EQUAL(path("default") + "/operator.address", find().addressOrigin);
    }

    void testSaysWhereItLooked() {
        std::filesystem::remove(path("default") + "/operator.token");
        CPPUNIT_ASSERT_THROW(find(), Unreachable);
        CPPUNIT_ASSERT(complaint().find(path("default") + "/operator.token") != std::string::npos);
        CPPUNIT_ASSERT(complaint().find("sudo") != std::string::npos);

        std::filesystem::remove(path("default") + "/operator.socket");
        CPPUNIT_ASSERT_THROW(find(), Unreachable);
        CPPUNIT_ASSERT(complaint().find(path("default") + "/operator.socket") != std::string::npos);
        CPPUNIT_ASSERT(complaint().find(places_.config) != std::string::npos);
        CPPUNIT_ASSERT(complaint().find("Is the daemon running?") != std::string::npos);
    }

    void testSaysWhichConfigurationIsMissing() {
        options_.config = path("missing.properties");
        CPPUNIT_ASSERT_THROW(find(), Unreachable);
        CPPUNIT_ASSERT(complaint().find("missing.properties") != std::string::npos);
    }

    void testRefusesAnAddressThatIsNone() {
        options_.url = "http://127.0.0.1:5/worker/3f2b8c1e-0000-4000-8000-000000000000";
        CPPUNIT_ASSERT_THROW(find(), UsageError);
        options_.url = "nonsense";
        CPPUNIT_ASSERT_THROW(find(), UsageError);
    }

    void testRefusesATokenThatIsNone() {
        for (const char* text : {"", "two words", "tab\tbed", "caf\xC3\xA9", "\x7F"}) {
            write("token", text);
            options_.tokenFile = path("token");
            CPPUNIT_ASSERT_THROW_MESSAGE(text, find(), Unreachable);
        }
        options_.tokenFile = path("default");
        CPPUNIT_ASSERT_THROW(find(), Unreachable);
    }

private:
    [[nodiscard]] std::string path(const std::string& name) const { return root_ + "/" + name; }

    void write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::ofstream(path(name)) << text;
    }

    void fill(const std::string& dir, const std::string& address, const std::string& token) const {
        write(dir + "/operator.socket", address + "\n");
        write(dir + "/operator.token", token + "\n");
    }

    Access find() {
        return locate(
            options_,
            [this](const char* name) {
                const auto found = environment_.find(name);
                return found == environment_.end() ? std::nullopt : std::optional(found->second);
            },
            places_);
    }

    /// All that is said when it is not found.
    std::string complaint() {
        try {
            find();
        } catch (const Failure& failure) {
            std::string text = failure.what();
            for (const std::string& hint : failure.hints()) {
                text += "\n" + hint;
            }
            return text;
        }
        return {};
    }

    std::string root_ = Poco::TemporaryFile::tempName();
    std::map<std::string, std::string> environment_;
    LocateOptions options_;
    DefaultPlaces places_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(LocateTest);

}  // namespace sallyport::host::client
