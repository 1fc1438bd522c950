#include "host/metrics/registry.h"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::metrics {
namespace {

class RegistryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RegistryTest);
    CPPUNIT_TEST(testNumbers);
    CPPUNIT_TEST(testHistogram);
    CPPUNIT_TEST(testLabels);
    CPPUNIT_TEST(testValuesAsTheyCome);
    CPPUNIT_TEST(testJobsAreNoValues);
    CPPUNIT_TEST(testNamesAreChecked);
    CPPUNIT_TEST(testShapesAreChecked);
    CPPUNIT_TEST(testTheSameAgain);
    CPPUNIT_TEST(testOwnersAreToldApart);
    CPPUNIT_TEST(testMetricsAreBounded);
    CPPUNIT_TEST(testCountedByManyThreads);
    CPPUNIT_TEST_SUITE_END();

    Registry registry_;
    std::unique_ptr<Metrics> metrics_ = registry_.of("notes");

    /// `name{value,…} number`, a line each.
    std::string shown() {
        std::string text;
        for (const auto& [name, shape, readings] : registry_.read()) {
            for (const Reading& reading : readings) {
                text += name + "{";
                for (const std::string& value : reading.values) {
                    text += value + ",";
                }
                text += "} " + std::to_string(reading.number) + "\n";
            }
        }
        return text;
    }

    template <class Access>
    static std::string refusal(const Access& access) {
        try {
            static_cast<void>(access());
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "";
    }

    void testNumbers() {
        Counter& counter = metrics_->counter("stored_total", "Stored");
        counter.add();
        counter.add(2);
        Gauge& gauge = metrics_->gauge("waiting", "Waiting");
        gauge.set(7);
        gauge.add(-9);
        CPPUNIT_ASSERT_EQUAL(std::string("sallyport_notes_stored_total{} 3\nsallyport_notes_waiting{} -2\n"),
                             shown());
        CPPUNIT_ASSERT_EQUAL(std::string("Stored"), registry_.read().front().shape->help);
    }

    void testHistogram() {
        Histogram& histogram = metrics_->histograms("size_bytes", "Sizes", {1, 10}, {}).of({});
        for (const double value : {0.5, 1.0, 2.0, 100.0, -1.0}) {
            histogram.observe(value);
        }
        const Reading reading = registry_.read().at(0).readings.at(0);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, reading.number);
        CPPUNIT_ASSERT((reading.counts == std::vector<std::uint64_t>{3, 1, 1}));
        CPPUNIT_ASSERT_EQUAL(102.5, reading.sum);
    }

    void testLabels() {
        auto& family =
            metrics_->counters("calls_total", "Calls", {{"provider", {}}, {"outcome", {"ok", "failed"}}});
        family.of({"main", "ok"}).add();
        family.of({"main", "ok"}).add();
        family.of({"spare", "failed"}).add();
        CPPUNIT_ASSERT_EQUAL(std::string("sallyport_notes_calls_total{main,ok,} 2\n"
                                         "sallyport_notes_calls_total{spare,failed,} 1\n"),
                             shown());
        for (const std::vector<std::string_view>& values : std::vector<std::vector<std::string_view>>{
                 {}, {"main"}, {"main", "odd"}, {"main", "ok", "ok"}}) {
            CPPUNIT_ASSERT(!refusal([&] { return &family.of(values); }).empty());
        }
        CPPUNIT_ASSERT_EQUAL(std::string("the label outcome has no value \"odd\""), refusal([&] {
                                 return &family.of({"main", "odd"});
                             }));
    }

    void testValuesAsTheyCome() {
        auto& family = metrics_->counters("models_total", "Models", {{"model", {}}});
        for (std::size_t i = 0; i < 2 * MetricLabel::mostValues; ++i) {
            family.of({"model-" + std::to_string(i)}).add();
        }
        family.of({"model-0"}).add();
        const auto readings = registry_.read().at(0).readings;
        CPPUNIT_ASSERT_EQUAL(MetricLabel::mostValues + 1, readings.size());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, readings.front().number);
        CPPUNIT_ASSERT_EQUAL(std::string(MetricLabel::otherValue), readings.back().values.at(0));
        CPPUNIT_ASSERT_EQUAL(static_cast<std::int64_t>(MetricLabel::mostValues), readings.back().number);
    }

    void testJobsAreNoValues() {
        auto& family = metrics_->counters("jobs_total", "Jobs", {{"job", {}}});
        for (const char* const value :
             {"3f2b8c1e-0000-4000-8000-000000000000", "3f2b8c1e000040008000000000000000",
              "3F2B8C1E-0000-4000-8000-000000000000", "job-3f2b8c1e-0000-4000-8000-000000000000 of alice"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                value, std::string("a value of the label job names a job, of which there is no end"),
                refusal([&] { return &family.of({value}); }));
        }
        CPPUNIT_ASSERT(!refusal([&] { return &family.of({std::string(129, 'x')}); }).empty());
        CPPUNIT_ASSERT(shown().empty());
    }

    void testNamesAreChecked() {
        for (const char* const name : {"", "stored", "Stored_total", "1_total", "a b_total", "a-b_total"}) {
            CPPUNIT_ASSERT_MESSAGE(name, !refusal([&] { return &metrics_->counter(name, ""); }).empty());
        }
        CPPUNIT_ASSERT(!refusal([&] { return &metrics_->gauge("waiting_total", ""); }).empty());
        CPPUNIT_ASSERT(!refusal([&] { return &metrics_->histograms("size_total", "", {1}, {}); }).empty());
    }

    void testShapesAreChecked() {
        const auto labelled = [&](std::vector<MetricLabel> labels) {
            return refusal([&] { return &metrics_->counters("a_total", "", labels); });
        };
        CPPUNIT_ASSERT(!labelled({{"Bad", {}}}).empty());
        CPPUNIT_ASSERT(!labelled({{"le", {}}}).empty());
        CPPUNIT_ASSERT(!labelled({{"a", {}}, {"a", {}}}).empty());
        CPPUNIT_ASSERT(!labelled({{"a", {"3f2b8c1e-0000-4000-8000-000000000000"}}}).empty());
        CPPUNIT_ASSERT_EQUAL(std::string("the labels have more than 2000 combinations of values"),
                             labelled({{"a", {}}, {"b", {}}}));
        CPPUNIT_ASSERT_EQUAL(std::string(), labelled({{"a", {}}, {"b", std::vector<std::string>(39, "x")}}));
        for (const std::vector<double>& bounds :
             std::vector<std::vector<double>>{{},
                                              {1, 1},
                                              {2, 1},
                                              {NAN},
                                              {1, std::numeric_limits<double>::infinity()},
                                              std::vector<double>(51)}) {
            CPPUNIT_ASSERT(!refusal([&] { return &metrics_->histograms("size", "", bounds, {}); }).empty());
        }
    }

    void testTheSameAgain() {
        metrics_->counter("stored_total", "Stored").add();
        // As after a reload.
        registry_.of("notes")->counter("stored_total", "Notes that were stored").add();
        CPPUNIT_ASSERT_EQUAL(std::string("sallyport_notes_stored_total{} 2\n"), shown());
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "the metric sallyport_notes_stored_total is there with other labels or of another kind"),
            refusal([&] {
                return &metrics_->counters("stored_total", "", {{"kind", {}}});
            }));
        static_cast<void>(metrics_->gauge("waiting", ""));
        CPPUNIT_ASSERT(!refusal([&] { return &metrics_->histograms("waiting", "", {1}, {}); }).empty());
    }

    void testOwnersAreToldApart() {
        registry_.of("")->counter("stored_total", "").add();
        metrics_->counter("stored_total", "").add(2);
        CPPUNIT_ASSERT_EQUAL(std::string("sallyport_notes_stored_total{} 2\nsallyport_stored_total{} 1\n"),
                             shown());
        // Names that come out the same are one owner's alone.
        CPPUNIT_ASSERT(
            !refusal([&] { return &registry_.of("")->counter("notes_stored_total", ""); }).empty());
    }

    void testMetricsAreBounded() {
        for (std::size_t i = 0; i < Metrics::mostMetrics; ++i) {
            static_cast<void>(metrics_->gauge("number_" + std::to_string(i), ""));
        }
        CPPUNIT_ASSERT(!refusal([&] { return &metrics_->gauge("one_more", ""); }).empty());
        CPPUNIT_ASSERT_EQUAL(std::string(),
                             refusal([&] { return &registry_.of("other")->gauge("one_more", ""); }));
        CPPUNIT_ASSERT_EQUAL(std::string(), refusal([&] { return &metrics_->gauge("number_0", ""); }));
    }

    void testCountedByManyThreads() {
        constexpr int each = 1000;
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([this, i] {
                for (int j = 0; j < each; ++j) {
                    metrics_->counters("calls_total", "", {{"by", {}}}).of({std::to_string(i % 2)}).add();
                    metrics_->histograms("took_seconds", "", {1}, {}).of({}).observe(0.5);
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        CPPUNIT_ASSERT_EQUAL(std::string("sallyport_notes_calls_total{0,} 2000\n"
                                         "sallyport_notes_calls_total{1,} 2000\n"
                                         "sallyport_notes_took_seconds{} 4000\n"),
                             shown());
        CPPUNIT_ASSERT_EQUAL(2000.0, registry_.read().at(1).readings.at(0).sum);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RegistryTest);

}  // namespace
}  // namespace sallyport::host::metrics
