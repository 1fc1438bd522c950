// Talking to a daemon as an operator or as a job's worker.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tests/support/daemon.h"
#include "tests/support/http_client.h"

namespace sallyport::tests {

/// A door, a path prefix and a token on one kept-alive connection, which is made anew when the daemon
/// has closed it. Not for several threads at once: copy it, a copy has its own connection.
class Client {
public:
    Client(Endpoint endpoint, std::string prefix, std::string token);
    Client(const Client& other) : Client(other.endpoint_, other.prefix_, other.token_) {}
    Client& operator=(const Client&) = delete;

    Response get(std::string_view path) { return send("GET", path, {}); }
    Response post(std::string_view path, std::string_view json) { return send("POST", path, json); }
    Response put(std::string_view path, std::string_view json) { return send("PUT", path, json); }
    Response remove(std::string_view path) { return send("DELETE", path, {}); }
    /// Any method; an empty body is not sent.
    Response send(std::string_view method, std::string_view path, std::string_view json);
    /// Any other request on the same connection, made with `request`.
    Response exchange(const Request& request);

    /// A request to this door with the token, to be changed before it is sent.
    [[nodiscard]] Request request(std::string_view method, std::string_view path) const;

    [[nodiscard]] const Endpoint& endpoint() const noexcept { return endpoint_; }
    [[nodiscard]] const std::string& token() const noexcept { return token_; }
    [[nodiscard]] std::string target(std::string_view path) const { return prefix_ + std::string(path); }
    [[nodiscard]] Connection& connection();

private:
    Endpoint endpoint_;
    std::string prefix_;
    std::string token_;
    std::unique_ptr<Connection> connection_;
};

/// A job as its creator knows it.
struct CreatedJob {
    std::string id;
    std::string token;
};

/// Creates a job with that body. @throws std::runtime_error showing the answer if it is not 201.
CreatedJob createJob(Client& operators, std::string_view body = R"({"task":"count the stars"})");
/// The same as the daemon's first admin.
CreatedJob createJob(const Daemon& daemon, std::string_view body = R"({"task":"count the stars"})");

/// Below `/api`, as the daemon's first admin or with another token.
[[nodiscard]] Client operatorClient(const Daemon& daemon);
[[nodiscard]] Client operatorClient(const Daemon& daemon, std::string token);

/// Below `/worker/<id>` with the job's token.
[[nodiscard]] Client workerClient(const Daemon& daemon, const CreatedJob& job);

/// Asks again and again until the answer to GET `path` has that value. @throws TimedOut with the last answer.
void awaitField(Client& client, std::string_view path, std::string_view field, std::string_view value);

/// Makes an operator token and @return its secret. @throws std::runtime_error showing the answer.
[[nodiscard]] std::string createToken(const Daemon& daemon, std::string_view user, std::string_view role);

}  // namespace sallyport::tests
