// The limits that hold by default let real jobs through.
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "host/auth/pacer.h"
#include "host/config/configuration.h"
#include "host/config/host_settings.h"
#include "plugins/events/stored_counts.h"

namespace sallyport::plugins {
namespace {

using namespace std::chrono_literals;

/// One second of a job.
struct Second {
    int at = 0;
    std::int64_t requests = 0;
    std::int64_t events = 0;
    std::int64_t bytes = 0;
};

class RecordedJobsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RecordedJobsTest);
    CPPUNIT_TEST(testIronclaw);
    CPPUNIT_TEST(testClaudeCode);
    CPPUNIT_TEST_SUITE_END();

    /// How much more than such a job may be needed.
    static constexpr std::int64_t margin = 10;
    /// Minutes like the busiest one that a job has in all.
    static constexpr std::int64_t busyMinutes = 10;

    static std::vector<Second> recorded(const std::string& name) {
        std::ifstream file(SALLYPORT_SOURCE_DIR "/tests/unit/plugins/recorded/" + name + ".tsv");
        std::vector<Second> seconds;
        for (std::string line; std::getline(file, line);) {
            if (!line.starts_with('#')) {
                std::istringstream fields(line);
                Second second;
                fields >> second.at >> second.requests >> second.events >> second.bytes;
                seconds.push_back(second);
            }
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{60}, seconds.size());
        return seconds;
    }

    static void passesTenTimesOver(const std::string& name) {
        const auto settings = host::config::Configuration("", {}).settings("", host::config::hostSettings());
        host::auth::Pacer requests(settings->integer("jobs.limit.requests_per_second"));
        host::auth::Pacer bytes(
            static_cast<std::int64_t>(settings->size("jobs.limit.event_bytes_per_second")));
        const StoredTotals limits{settings->integer("jobs.limit.events"),
                                  static_cast<std::int64_t>(settings->size("jobs.limit.event_bytes"))};
        StoredCounts counts;
        const JobId job = JobId::random();
        host::auth::Pacer::Clock::time_point now{1h};
        for (std::int64_t minute = 0; minute < busyMinutes; ++minute) {
            for (const Second& second : recorded(name)) {
                // All at its beginning, which is the worst.
                CPPUNIT_ASSERT(requests.take(second.requests * margin, now, 0ms).wait == 0ms);
                const std::int64_t size =
                    second.events == 0 ? 0 : second.bytes / second.events + eventOverhead;
                for (std::int64_t event = 0; event < second.events * margin; ++event) {
                    CPPUNIT_ASSERT(bytes.take(size, now, 0ms).wait == 0ms);
                    const auto place = counts.reserve(job, size, limits);
                    CPPUNIT_ASSERT(place);
                    place->learn({});
                    place->keep();
                }
                now += 1s;
            }
        }
    }

    static void testIronclaw() { passesTenTimesOver("ironclaw"); }
    static void testClaudeCode() { passesTenTimesOver("claude_code"); }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RecordedJobsTest);

}  // namespace
}  // namespace sallyport::plugins
