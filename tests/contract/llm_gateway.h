// What the tests of the LLM gateway share: a daemon whose providers are a server of the test's own.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cppunit/TestFixture.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/deadline.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/jobs.h"
#include "tests/support/streamed_answer.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

/// The key of all providers, as the daemon's environment has it.
constexpr std::string_view providerKey = "sk-key-of-the-provider-0123456789";

/// The three APIs that workers have.
enum class Api { seed, openai, anthropic };
constexpr Api allApis[] = {Api::seed, Api::openai, Api::anthropic};

/// Where a worker posts, and where the provider then sees it.
std::string pathOf(Api api);
std::string upstreamPathOf(Api api);

/// A request of one message. The model is left out where it is empty, but for anthropic, which has another
/// provider and so always needs one.
std::string question(Api api, std::string_view text = "hello", std::string_view model = "",
                     bool stream = false);
/// How the provider answers it, using 10 tokens for the question and 5 for the answer.
std::string answerOf(Api api, std::string_view text = "fine");
/// The same as a stream: pieces of text, and the piece that ends it, with the usage.
std::string pieceOf(Api api, std::string_view text);
std::string beginningOf(Api api);
std::string endOf(Api api);
/// A whole stream with one piece.
std::string streamOf(Api api, std::string_view text = "fine");

/// Two providers at one fake upstream: `main` (openai, serves `model-*`, and `model-x` unless told another),
/// and `claude` (anthropic, serves `claude-*`). A failed call is not tried again, and no number of failures
/// is too many, unless the settings say otherwise.
class LlmGatewayTest : public CppUnit::TestFixture {
public:
    void setUp() override;
    void tearDown() override;

protected:
    using Settings = std::map<std::string, std::string>;

    /// Starts the daemon with these settings besides, and makes a job.
    void start(const Settings& settings = {});

    [[nodiscard]] FakeUpstream& upstream() { return *upstream_; }
    [[nodiscard]] Daemon& daemon() { return *daemon_; }
    [[nodiscard]] const TemporaryDirectory& files() const { return *files_; }
    [[nodiscard]] const CreatedJob& job() const { return job_; }
    [[nodiscard]] Client operators() const { return operatorClient(*daemon_); }
    [[nodiscard]] Client worker() const { return workerClient(*daemon_, job_); }
    void newJob() { job_ = createJob(*daemon_); }

    /// Has the provider answer all that is asked of it.
    void answerAll();
    /// The same for one request.
    void answerNext(Api api = Api::seed) { upstream().next(scripts::answer(200, answerOf(api))); }

    /// Has each request wait for a permit, to be answered well then.
    std::shared_ptr<Permits> holdAll();
    /// With one loop for all connections: what was sent on others before has been received when this returns.
    void awaitReceived();

    Response ask(Api api = Api::seed, std::string_view text = "hello", std::string_view model = "");
    /// A request that waits for its answer on a connection of its own.
    [[nodiscard]] Connection begin(Api api = Api::seed, std::string_view text = "hello",
                                   std::string_view model = "") const;
    [[nodiscard]] Connection begin(const Client& client, Api api = Api::seed,
                                   std::string_view text = "hello") const;
    /// The request for a stream.
    [[nodiscard]] Request streamRequest(Api api, std::string_view text = "hello") const;
    [[nodiscard]] StreamedAnswer beginStream(Api api, std::string_view text = "hello") const;

    /// How many requests the upstream has seen.
    [[nodiscard]] std::size_t asked() { return upstream().requests().size(); }
    /// Awaits a number of them.
    SeenRequest awaitAsked(std::size_t count) { return upstream().awaitRequest(count - 1); }

    /// Awaits that the job's usage is about so many calls, and @return it.
    Response awaitCalls(std::size_t count);

    /// An answer with a provider's name, address or key in it, or a place in our own house.
    void assertTellsNothing(const Response& response, const CppUnit::SourceLine& line) const;

private:
    std::optional<TemporaryDirectory> files_;
    std::optional<FakeUpstream> upstream_;
    std::optional<Daemon> daemon_;
    CreatedJob job_;
};

/// The value at a path within the data of a block of a stream.
std::string dataAt(std::string_view block, std::string_view path);

/// An error of the gateway, in whatever API.
void assertGatewayError(int status, std::string_view code, const Response& response,
                        const CppUnit::SourceLine& line);

}  // namespace sallyport::tests

#define ASSERT_GATEWAY_ERROR(status, code, response) \
    ::sallyport::tests::assertGatewayError((status), (code), (response), CPPUNIT_SOURCELINE())
#define ASSERT_TELLS_NOTHING(response) assertTellsNothing((response), CPPUNIT_SOURCELINE())
