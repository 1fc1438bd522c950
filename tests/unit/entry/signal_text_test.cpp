#include "host/entry/signal_text.h"

#include <array>
#include <chrono>
#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/timestamp.h>

namespace sallyport::tests {

using host::entry::SignalText;

class SignalTextTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SignalTextTest);
    CPPUNIT_TEST(testTimesAreWrittenAsElsewhere);
    CPPUNIT_TEST(testJobsAreWrittenAsElsewhere);
    CPPUNIT_TEST(testWhatCouldEndALineIsReplaced);
    CPPUNIT_TEST(testWhatDoesNotFitIsLeftOut);
    CPPUNIT_TEST_SUITE_END();

public:
    void testTimesAreWrittenAsElsewhere() {
        using namespace std::chrono;
        for (const char* const text :
             {"1970-01-01T00:00:00.000Z", "1999-12-31T23:59:59.999Z", "2000-02-29T12:00:00.001Z",
              "2024-02-29T01:02:03.040Z", "2026-11-26T21:30:00.500Z", "2100-03-01T00:00:00.000Z"}) {
            const auto time = parseRfc3339(text);
            CPPUNIT_ASSERT(time);
            const auto since = duration_cast<milliseconds>(time->time_since_epoch()).count();
            SignalText written;
            written.appendTime({since / 1000, since % 1000 * 1'000'000});
            CPPUNIT_ASSERT_EQUAL(std::string(text), std::string(written.text()));
        }
    }

    void testJobsAreWrittenAsElsewhere() {
        const auto job = JobId::random();
        SignalText written;
        written.appendJob(job);
        CPPUNIT_ASSERT_EQUAL(job.str(), std::string(written.text()));
    }

    void testWhatCouldEndALineIsReplaced() {
        SignalText written;
        written.appendPlain("a \"b\" \\ c\n\x1b[1m\xff");
        CPPUNIT_ASSERT_EQUAL(std::string("a ?b? ? c??[1m?"), std::string(written.text()));
    }

    void testWhatDoesNotFitIsLeftOut() {
        SignalText written;
        written.append(std::string(100'000, 'x'));
        written.append("more");
        CPPUNIT_ASSERT(written.text().size() < 100'000);
        CPPUNIT_ASSERT_EQUAL('x', written.text().back());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SignalTextTest);

}  // namespace sallyport::tests
