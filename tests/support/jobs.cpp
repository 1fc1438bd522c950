#include "tests/support/jobs.h"

#include <stdexcept>
#include <utility>

namespace sallyport::tests {

Client::Client(Endpoint endpoint, std::string prefix, std::string token)
    : endpoint_(std::move(endpoint)), prefix_(std::move(prefix)), token_(std::move(token)) {}

Request Client::request(std::string_view method, std::string_view path) const {
    return Request(std::string(method), target(path)).bearer(token_);
}

Connection& Client::connection() {
    if (!connection_ || connection_->readable()) {
        // Nothing is due between two answers, so what can be read is the end.
        connection_ = std::make_unique<Connection>(endpoint_);
    }
    return *connection_;
}

Response Client::exchange(const Request& request) {
    Response response = connection().exchange(request);
    if (!response.keepAlive) {
        connection_.reset();
    }
    return response;
}

Response Client::send(std::string_view method, std::string_view path, std::string_view json) {
    Request made = request(method, path);
    if (!json.empty()) {
        made.json(json);
    }
    return exchange(made);
}

CreatedJob createJob(Client& operators, std::string_view body) {
    const Response response = operators.post("/jobs", body);
    if (response.status != 201) {
        throw std::runtime_error("no job was created: " + response.describe());
    }
    return {response.at("job_id"), response.at("token")};
}

CreatedJob createJob(const Daemon& daemon, std::string_view body) {
    Client operators = operatorClient(daemon);
    return createJob(operators, body);
}

Client operatorClient(const Daemon& daemon) {
    return operatorClient(daemon, daemon.operatorToken());
}

Client operatorClient(const Daemon& daemon, std::string token) {
    return {daemon.operators(), "/api", std::move(token)};
}

Client workerClient(const Daemon& daemon, const CreatedJob& job) {
    return {daemon.worker(), "/worker/" + job.id, job.token};
}

void awaitField(Client& client, std::string_view path, std::string_view field, std::string_view value) {
    const Deadline deadline;
    for (Response response = client.get(path); response.at(field) != value; response = client.get(path)) {
        if (deadline.pollTimeout() == 0) {
            throw TimedOut("'" + std::string(field) + "' never became '" + std::string(value) +
                           "': " + response.describe());
        }
    }
}

std::string createToken(const Daemon& daemon, std::string_view user, std::string_view role) {
    const Response response =
        operatorClient(daemon).post("/tokens", R"({"name":"test","user_id":")" + std::string(user) +
                                                   R"(","role":")" + std::string(role) + "\"}");
    if (response.status != 201) {
        throw std::runtime_error("no token was created: " + response.describe());
    }
    return response.at("token");
}

}  // namespace sallyport::tests
