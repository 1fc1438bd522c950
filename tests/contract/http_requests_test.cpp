// Requests as bytes, as a hostile client may write them: data/http_requests.txt.
#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <cppunit/TestAssert.h>
#include <cppunit/TestCase.h>

#include "tests/support/assertions.h"
#include "tests/support/case_suite.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"

namespace sallyport::tests {

namespace {

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return text;
}

/// What stands for a value, the same for all cases.
const Variables& variables() {
    static const Variables values = [] {
        const CreatedJob job = createJob(sharedDaemon());
        const CreatedJob other = createJob(sharedDaemon());
        std::string hex = job.id;
        std::erase(hex, '-');
        std::ostringstream encoded;
        encoded << '%' << std::hex << static_cast<int>(job.id.front()) << job.id.substr(1);
        return Variables{
            {"JOB", job.id},
            {"TOKEN", job.token},
            {"OTHER_JOB", other.id},
            {"OTHER_TOKEN", other.token},
            {"OPERATOR", sharedDaemon().operatorToken()},
            {"JOB_HEX", hex},
            {"JOB_UPPER", upper(job.id)},
            {"JOB_ENC", encoded.str()},
            {"JOB_SHORT", job.id.substr(0, job.id.size() - 1)},
            {"JOB_MOVED", job.id.substr(0, 7) + '-' + job.id[7] + job.id.substr(9)},
            {"TOKEN_UPPER", upper(job.token)},
        };
    }();
    return values;
}

std::vector<int> numbers(const std::string& text) {
    std::istringstream in(text);
    std::vector<int> result;
    for (int number = 0; in >> number;) {
        result.push_back(number);
    }
    return result;
}

/// One case: sends its bytes and looks at all that comes back.
class RequestCase final : public CppUnit::TestCase {
public:
    explicit RequestCase(Case given) : CppUnit::TestCase(given.name), case_(std::move(given)) {}

    void runTest() override {
        Daemon& daemon = sharedDaemon();
        Connection connection(case_.value("door") == "operator" ? daemon.operators() : daemon.worker());
        answers_.clear();
        finished_ = false;
        send(connection);
        receive(connection);
        for (const Response& answer : answers_) {
            check(answer);
        }
        checkEnd(connection);
    }

private:
    void send(Connection& connection) {
        std::string bytes;
        const auto flush = [&] { static_cast<void>(connection.trySend(std::exchange(bytes, {}))); };
        for (const auto& [key, value] : case_.entries) {
            if (key == "line") {
                bytes += expanded(value, variables()) + "\r\n";
            } else if (key == "send") {
                bytes += expanded(value, variables());
            } else if (key == "times") {
                const std::string once = bytes;
                for (int more = std::stoi(value) - 1; more > 0; --more) {
                    bytes += once;
                }
            } else if (key == "byte by byte") {
                for (const char byte : std::exchange(bytes, {})) {
                    static_cast<void>(connection.trySend({&byte, 1}));
                }
            } else if (key == "await continue") {
                flush();
                answers_.push_back(connection.receive());
            } else if (key == "finish sending") {
                flush();
                connection.finishSending();
                finished_ = true;
            }
        }
        flush();
    }

    void receive(Connection& connection) {
        const std::vector<int> allowed = numbers(case_.value("status"));
        const bool mayBeNone = std::count(allowed.begin(), allowed.end(), 0) > 0;
        const auto wanted = static_cast<std::size_t>(std::stoi(case_.value("answers", "1")));
        try {
            while (answers_.size() < wanted) {
                answers_.push_back(connection.receive(case_.value("method", "GET")));
            }
        } catch (const ConnectionLost& lost) {
            CPPUNIT_ASSERT_MESSAGE(std::to_string(answers_.size()) + " answers: " + lost.what(), mayBeNone);
        }
        const int first = answers_.empty() ? 0 : answers_.front().status;
        CPPUNIT_ASSERT_MESSAGE("status " + std::to_string(first) + ", which is none of " +
                                   case_.value("status") +
                                   (answers_.empty() ? "" : ": " + answers_.front().describe()),
                               std::count(allowed.begin(), allowed.end(), first) > 0);
    }

    void check(const Response& answer) const {
        const std::string all = answer.describe() + answer.body;
        CPPUNIT_ASSERT_EQUAL_MESSAGE(all, std::string("HTTP/1.1"), answer.version);
        for (const char* once : {"Content-Length", "Content-Type", "X-Request-Id"}) {
            CPPUNIT_ASSERT_MESSAGE(all, answer.count(once) <= 1);
        }
        for (const auto& [name, value] : answer.headers) {
            CPPUNIT_ASSERT_MESSAGE(all, (name + value).find_first_of("\r\n") == std::string::npos);
        }
        if (answer.status < 200 || answer.status == 204) {
            CPPUNIT_ASSERT_MESSAGE(all, answer.count("Content-Length") == 0);
            CPPUNIT_ASSERT_MESSAGE(all, answer.count("Transfer-Encoding") == 0);
        }
        if (answer.status >= 400 && case_.value("method") != "HEAD") {
            CPPUNIT_ASSERT_MESSAGE(all, answer.at("error").starts_with('{'));
        }
        for (const std::string& text : case_.values("absent")) {
            ASSERT_LACKS(expanded(text), all);
        }
        for (const char* secret : {"TOKEN", "OTHER_TOKEN", "OPERATOR"}) {
            ASSERT_LACKS(variables().find(secret)->second, all);
        }
    }

    /// Either the connection is closed in order, with nothing before the end, or it serves the next request,
    /// whose answer comes next. It has to be as the last answer said.
    void checkEnd(Connection& connection) const {
        const std::string expected = case_.value("connection");
        const bool promised = !answers_.empty() && answers_.back().keepAlive;
        if (expected == "stays") {
            CPPUNIT_ASSERT_MESSAGE(answers_.back().describe(), promised);
        } else if (expected == "closes" && !finished_ && !answers_.empty()) {
            CPPUNIT_ASSERT_MESSAGE(answers_.back().describe(), !promised);
        }
        if (expected == "closes" || finished_ || !promised) {
            CPPUNIT_ASSERT_MESSAGE("the connection is not closed in order, or more came before its end",
                                   connection.closedInOrder());
            return;
        }
        const Response next = connection.exchange(Request("GET", "/health"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(next.describe(), 200, next.status);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(next.describe(), std::string("ok"), next.body);
    }

    const Case case_;
    std::vector<Response> answers_;
    bool finished_ = false;  ///< sending
};

const CaseSuite<RequestCase> requestSuite("sallyport::tests::HttpRequestsTest",
                                          SALLYPORT_CONTRACT_DATA "/http_requests.txt");

}  // namespace

}  // namespace sallyport::tests
