#include "plugins/llm/attempt.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;

/// Takes all but one word, and says that it used 7 tokens.
class OneWordReader final : public AnswerReader {
public:
    [[nodiscard]] Reply whole(const UpstreamHead& /*head*/, std::string body) override {
        return Reply::text(200, "text/plain", std::move(body));
    }
    void feed(std::string_view bytes, const Pass& pass) override {
        if (bytes == "nonsense") {
            throw BadAnswer("it is nonsense");
        }
        pass(bytes);
    }
    [[nodiscard]] std::string end() override { return {}; }
    [[nodiscard]] std::string rest() override { return "rest"; }
    [[nodiscard]] Usage usage() const override { return {.input = 7}; }
};

/// Has answers read by such readers.
class OneWordTranslation final : public Translation {
public:
    [[nodiscard]] const std::string& endpoint() const override { return endpoint_; }
    [[nodiscard]] const std::optional<std::string>& model() const override { return model_; }
    [[nodiscard]] bool fits(ProviderType /*type*/) const override { return true; }
    [[nodiscard]] bool streams() const override { return true; }
    [[nodiscard]] UpstreamRequest request(const Provider& /*provider*/, const std::string& /*model*/,
                                          std::vector<std::string> /*dropped*/) const override {
        return {};
    }
    [[nodiscard]] std::unique_ptr<AnswerReader> reader(const Provider& /*provider*/,
                                                       const SecretMask& /*mask*/) const override {
        return std::make_unique<OneWordReader>();
    }
    [[nodiscard]] EchoAnswer echo(Echo& /*echo*/, const JobId& /*job*/,
                                  const std::string& /*id*/) const override {
        return {};
    }
    [[nodiscard]] std::string brokenEvent(const RequestError& /*error*/) const override { return {}; }
    [[nodiscard]] bool relaysRefusals() const override { return false; }

private:
    const std::string endpoint_ = "test";
    const std::optional<std::string> model_;
};

class AttemptTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AttemptTest);
    CPPUNIT_TEST(testBeginsWithTheFirstCandidate);
    CPPUNIT_TEST(testCandidateThatIsLeftAloneIsPassedOver);
    CPPUNIT_TEST(testTellsHowLongNoneCanBeAsked);
    CPPUNIT_TEST(testRetryAsksTheSameCandidate);
    CPPUNIT_TEST(testNextCandidateHasItsOwnRetries);
    CPPUNIT_TEST(testFailureIsKeptUntilTheNextAttempt);
    CPPUNIT_TEST(testUpstreamsCallIsUnderWayUntilItIsDone);
    CPPUNIT_TEST(testRefutedAnswerIsStillUnderWay);
    CPPUNIT_TEST(testReaderSaysWhatIsWrong);
    CPPUNIT_TEST(testAnswerIsForgottenBeforeTheNext);
    CPPUNIT_TEST(testAnswerIsMasked);
    CPPUNIT_TEST(testBreakerIsToldOfAFailure);
    CPPUNIT_TEST(testBreakerIsToldOfTheEnd);
    CPPUNIT_TEST(testBreakerIsToldOnce);
    CPPUNIT_TEST(testUsageOfAnAnswer);
    CPPUNIT_TEST(testUsageOfARefusal);
    CPPUNIT_TEST(testUsageOfWhoLeavesEarly);
    CPPUNIT_TEST(testUsageOfAFailedAttempt);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* secret_ = "sk-0123456789abcdefghij";

    const Attempt::Time begin_{1000s};
    const OneWordTranslation translation_;
    std::vector<std::unique_ptr<ProviderState>> providers_;
    Attempt attempt_;

public:
    void setUp() override {
        GatewayOptions options;
        options.breakerFailures = 1;
        options.breakerCooldown = 10s;
        std::vector<Candidate> candidates;
        for (const char* name : {"first", "second"}) {
            Provider provider;
            provider.name = name;
            providers_.push_back(std::make_unique<ProviderState>(provider, options, EchoScript()));
            candidates.push_back({providers_.back().get(), "model"});
        }
        attempt_.setCandidates(std::move(candidates));
    }

private:
    [[nodiscard]] CircuitBreaker& breaker(std::size_t provider) { return providers_[provider]->breaker; }
    [[nodiscard]] std::string stateOf(std::size_t provider) { return name(breaker(provider).state(begin_)); }
    void open(std::size_t provider, Attempt::Time time) {
        breaker(provider).failed(breaker(provider).pass(time).value(), time);
    }

    void begin(Attempt::Time time) { CPPUNIT_ASSERT(!attempt_.begin(time)); }
    void prepare() {
        auto key = std::make_shared<ProviderKey>();
        key->mask = SecretMask({secret_});
        attempt_.prepare(std::move(key), translation_);
    }
    void send() {
        begin(begin_);
        prepare();
        attempt_.sent(5);
    }
    void answer(int status, const std::string& body) {
        attempt_.setHead({.status = status, .headers = {}});
        attempt_.count(body.size());
        attempt_.gather(body);
        CPPUNIT_ASSERT(!attempt_.done());
    }
    [[nodiscard]] static Failure failure(const char* code) {
        return {.error = badGateway(code, "it failed")};
    }
    [[nodiscard]] std::string asked() const { return attempt_.provider().name; }

    void testBeginsWithTheFirstCandidate() {
        begin(begin_);
        CPPUNIT_ASSERT_EQUAL(std::string("first"), asked());
        CPPUNIT_ASSERT(attempt_.isFirstCandidate());
        CPPUNIT_ASSERT(!attempt_.isLastCandidate());
        CPPUNIT_ASSERT_EQUAL(0U, attempt_.retries());
    }

    void testCandidateThatIsLeftAloneIsPassedOver() {
        open(0, begin_);
        begin(begin_);
        CPPUNIT_ASSERT_EQUAL(std::string("second"), asked());
        CPPUNIT_ASSERT(!attempt_.isFirstCandidate());
        CPPUNIT_ASSERT(attempt_.isLastCandidate());
    }

    void testTellsHowLongNoneCanBeAsked() {
        open(0, begin_);
        open(1, begin_ - 4s);
        CPPUNIT_ASSERT(attempt_.begin(begin_) == std::optional<std::chrono::milliseconds>(6s));
        // The call is recorded as the last one's.
        CPPUNIT_ASSERT_EQUAL(std::string("second"), asked());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, attempt_.end(false).input);
    }

    void testRetryAsksTheSameCandidate() {
        begin(begin_);
        attempt_.fail(false, begin_);
        attempt_.retry(failure("one"));
        begin(begin_);
        CPPUNIT_ASSERT_EQUAL(std::string("first"), asked());
        CPPUNIT_ASSERT_EQUAL(1U, attempt_.retries());
    }

    void testNextCandidateHasItsOwnRetries() {
        begin(begin_);
        attempt_.fail(false, begin_);
        attempt_.retry(failure("one"));
        begin(begin_);
        attempt_.fail(false, begin_);
        attempt_.moveOn(failure("two"));
        begin(begin_);
        CPPUNIT_ASSERT_EQUAL(std::string("second"), asked());
        CPPUNIT_ASSERT_EQUAL(0U, attempt_.retries());
    }

    void testFailureIsKeptUntilTheNextAttempt() {
        CPPUNIT_ASSERT(!attempt_.takeFailure());
        begin(begin_);
        attempt_.fail(true, begin_);
        attempt_.moveOn(failure("one"));
        open(1, begin_);
        CPPUNIT_ASSERT(attempt_.begin(begin_).has_value());
        CPPUNIT_ASSERT_EQUAL(std::string("one"), attempt_.takeFailure().value().error.code());
        CPPUNIT_ASSERT(!attempt_.takeFailure());
    }

    void testUpstreamsCallIsUnderWayUntilItIsDone() {
        begin(begin_);
        prepare();
        CPPUNIT_ASSERT(!attempt_.upstream());
        attempt_.sent(5);
        CPPUNIT_ASSERT(attempt_.upstream() == std::optional<Upstream::Id>(5));
        CPPUNIT_ASSERT(!attempt_.done());
        CPPUNIT_ASSERT(!attempt_.upstream());
    }

    void testRefutedAnswerIsStillUnderWay() {
        send();
        CPPUNIT_ASSERT(!attempt_.isRefuted());
        attempt_.refute(BadAnswer("it is nonsense"));
        CPPUNIT_ASSERT(attempt_.isRefuted());
        CPPUNIT_ASSERT(attempt_.upstream() == std::optional<Upstream::Id>(5));
        CPPUNIT_ASSERT_EQUAL(std::string("it is nonsense"), std::string(attempt_.done().value().what()));
        CPPUNIT_ASSERT(!attempt_.isRefuted());
        CPPUNIT_ASSERT(!attempt_.upstream());
    }

    void testReaderSaysWhatIsWrong() {
        CPPUNIT_ASSERT_EQUAL(std::string(), attempt_.rest());
        send();
        std::string passed;
        const auto pass = [&passed](std::string_view bytes) { passed += bytes; };
        CPPUNIT_ASSERT(!attempt_.feed("sense", pass));
        CPPUNIT_ASSERT(attempt_.feed("nonsense", pass).has_value());
        CPPUNIT_ASSERT_EQUAL(std::string("sense"), passed);
        CPPUNIT_ASSERT_EQUAL(std::string("rest"), attempt_.rest());
    }

    void testAnswerIsForgottenBeforeTheNext() {
        send();
        answer(503, "busy");
        attempt_.fail(false, begin_);
        attempt_.retry(failure("one"));
        CPPUNIT_ASSERT_EQUAL(503, attempt_.head().status);
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, attempt_.received());
        send();
        CPPUNIT_ASSERT_EQUAL(0, attempt_.head().status);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, attempt_.received());
        CPPUNIT_ASSERT_EQUAL(std::string(), attempt_.takeBody());
    }

    void testAnswerIsMasked() {
        const std::string text = std::string("key ") + secret_;
        CPPUNIT_ASSERT_EQUAL(text, attempt_.masked(text));
        send();
        attempt_.setHead({.status = 200, .headers = {{"x-key", secret_}}});
        CPPUNIT_ASSERT_EQUAL(std::string("[key]"), attempt_.head().headers.front().second);
        // Across the pieces that it is kept in.
        const std::string filling(std::size_t{64} * 1024, ' ');
        attempt_.gather(filling + "sk-0123456789");
        attempt_.gather("abcdefghij");
        CPPUNIT_ASSERT_EQUAL(filling + "[key]", attempt_.takeBody());
        CPPUNIT_ASSERT_EQUAL(std::string("key [key]"), attempt_.masked(text));
    }

    void testBreakerIsToldOfAFailure() {
        begin(begin_);
        attempt_.fail(false, begin_);
        CPPUNIT_ASSERT_EQUAL(std::string("closed"), stateOf(0));
        attempt_.retry(failure("one"));
        begin(begin_);
        attempt_.fail(true, begin_);
        CPPUNIT_ASSERT_EQUAL(std::string("open"), stateOf(0));
    }

    /// Until then, it lets no other through that tries.
    void testBreakerIsToldOfTheEnd() {
        open(0, begin_);
        begin(begin_ + 10s);
        CPPUNIT_ASSERT(!breaker(0).pass(begin_ + 10s));
        attempt_.end(false);
        begin(begin_ + 10s);
        CPPUNIT_ASSERT_EQUAL(std::string("first"), asked());
        prepare();
        attempt_.sent(5);
        answer(200, "well");
        attempt_.end(true);
        CPPUNIT_ASSERT_EQUAL(std::string("closed"), stateOf(0));
    }

    void testBreakerIsToldOnce() {
        begin(begin_);
        attempt_.fail(true, begin_);
        const auto tried = breaker(0).pass(begin_ + 10s);
        CPPUNIT_ASSERT(tried.has_value());
        attempt_.end(false);
        CPPUNIT_ASSERT(!breaker(0).pass(begin_ + 10s));
    }

    void testUsageOfAnAnswer() {
        send();
        attempt_.setEchoUsage({.input = 3});
        answer(200, "well");
        CPPUNIT_ASSERT_EQUAL(std::int64_t{7}, attempt_.end(true).input);
    }

    void testUsageOfARefusal() {
        send();
        answer(403, "no");
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, attempt_.end(false).input);
    }

    /// The provider has had to work all the same.
    void testUsageOfWhoLeavesEarly() {
        send();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{7}, attempt_.end(false).input);
        CPPUNIT_ASSERT(!attempt_.upstream());
    }

    /// If none follows, or before the next is sent.
    void testUsageOfAFailedAttempt() {
        send();
        answer(200, "nonsense");
        attempt_.fail(true, begin_);
        attempt_.moveOn(failure("one"));
        begin(begin_);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{7}, attempt_.end(false).input);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AttemptTest);

}  // namespace
}  // namespace sallyport::plugins::llm
