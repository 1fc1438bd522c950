#include <set>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/job_id.h>

namespace sallyport {
namespace {

const std::string canonical = "67e55044-10b1-426f-9247-bb680e5fe0c8";

class JobIdTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JobIdTest);
    CPPUNIT_TEST(testForms);
    CPPUNIT_TEST(testRefuses);
    CPPUNIT_TEST(testNil);
    CPPUNIT_TEST(testRandom);
    CPPUNIT_TEST(testOrderAndHash);
    CPPUNIT_TEST_SUITE_END();

    void testForms() {
        for (const char* text :
             {"67e55044-10b1-426f-9247-bb680e5fe0c8", "67E55044-10B1-426F-9247-BB680E5FE0C8",
              "67e5504410b1426f9247bb680e5fe0c8", "67E5504410B1426F9247bb680e5fe0c8",
              "urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8",
              "URN:UUID:67E55044-10b1-426f-9247-bb680e5fe0c8", "{67e55044-10b1-426f-9247-bb680e5fe0c8}"}) {
            const auto id = JobId::parse(text);
            CPPUNIT_ASSERT_MESSAGE(text, id.has_value());
            CPPUNIT_ASSERT_EQUAL(canonical, id->str());
        }
    }

    void testRefuses() {
        const std::vector<std::string> texts = {"",
                                                "67e55044",
                                                canonical + " ",
                                                " " + canonical,
                                                canonical.substr(1),
                                                "(" + canonical + ")",
                                                "{" + canonical,
                                                "{67e5504410b1426f9247bb680e5fe0c8}",
                                                "urn:uuid:67e5504410b1426f9247bb680e5fe0c8",
                                                "urn-uuid:" + canonical,
                                                "67e5504-410b1-426f-9247-bb680e5fe0c8",
                                                "67e55044-10b1-426f-9247-bb680e5fe0cg",
                                                "67e55044+10b1-426f-9247-bb680e5fe0c8",
                                                "-7e5504410b1426f9247bb680e5fe0c8",
                                                std::string(36, '-'),
                                                std::string(32, '\0'),
                                                std::string(45, ':')};
        for (const std::string& text : texts) {
            CPPUNIT_ASSERT_MESSAGE(text, !JobId::parse(text));
        }
    }

    void testNil() {
        CPPUNIT_ASSERT_EQUAL(std::string("00000000-0000-0000-0000-000000000000"), JobId().str());
        CPPUNIT_ASSERT(JobId::parse("00000000-0000-0000-0000-000000000000") == JobId());
    }

    void testRandom() {
        std::set<JobId> seen;
        for (int i = 0; i < 1000; ++i) {
            const JobId id = JobId::random();
            CPPUNIT_ASSERT_EQUAL('4', id.str()[14]);
            CPPUNIT_ASSERT(std::string("89ab").find(id.str()[19]) != std::string::npos);
            CPPUNIT_ASSERT(JobId::parse(id.str()) == id);
            seen.insert(id);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{1000}, seen.size());
    }

    void testOrderAndHash() {
        const JobId low = *JobId::parse("00000000-0000-4000-8000-000000000001");
        const JobId high = *JobId::parse("ff000000-0000-4000-8000-000000000001");
        CPPUNIT_ASSERT(low < high);
        CPPUNIT_ASSERT(std::hash<JobId>()(low) != std::hash<JobId>()(high));
        CPPUNIT_ASSERT_EQUAL(std::hash<JobId>()(low), std::hash<JobId>()(JobId(low.bytes())));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JobIdTest);

}  // namespace
}  // namespace sallyport
