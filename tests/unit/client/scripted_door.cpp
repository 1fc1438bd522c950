#include "tests/unit/client/scripted_door.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <optional>
#include <sstream>
#include <utility>

#include <Poco/Exception.h>

namespace sallyport::host::client {

namespace {

std::string lowerCase(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

/// Reads on until the text is so long; false if the other side has closed.
bool readTo(Poco::Net::StreamSocket& socket, std::string& text, std::size_t length) {
    char buffer[4096];
    while (text.size() < length) {
        const int got = socket.receiveBytes(buffer, sizeof(buffer));
        if (got <= 0) {
            return false;
        }
        text.append(buffer, static_cast<std::size_t>(got));
    }
    return true;
}

std::optional<ScriptedRequest> readRequest(Poco::Net::StreamSocket& socket) {
    std::string text;
    std::size_t end = std::string::npos;
    while ((end = text.find("\r\n\r\n")) == std::string::npos) {
        if (!readTo(socket, text, text.size() + 1)) {
            return std::nullopt;
        }
    }
    ScriptedRequest request;
    std::istringstream head(text.substr(0, end));
    std::string line;
    std::getline(head, line);
    std::istringstream(line) >> request.method >> request.target;
    while (std::getline(head, line)) {
        const std::size_t colon = line.find(": ");
        std::string value = line.substr(colon + 2);
        value.erase(value.find_last_not_of('\r') + 1);
        request.headers[lowerCase(line.substr(0, colon))] = value;
    }
    const auto length = request.headers.find("content-length");
    const std::size_t bodyLength = length == request.headers.end() ? 0 : std::stoul(length->second);
    if (!readTo(socket, text, end + 4 + bodyLength)) {
        return std::nullopt;
    }
    request.body = text.substr(end + 4);
    return request;
}

}  // namespace

ScriptedDoor::ScriptedDoor(Handler handler)
    : ScriptedDoor(Poco::Net::SocketAddress("127.0.0.1", 0), std::move(handler)) {}

ScriptedDoor::ScriptedDoor(const Poco::Net::SocketAddress& address, Handler handler)
    : listener_(address), handler_(std::move(handler)), acceptor_([this] { accept(); }) {}

ScriptedDoor::~ScriptedDoor() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    // A last connection wakes the acceptor, which then sees that it is over.
    try {
        Poco::Net::StreamSocket wake(listener_.address());
    } catch (const Poco::Exception&) {
        // It was awake already.
    }
    acceptor_.join();
    for (std::thread& connection : connections_) {
        connection.join();
    }
}

std::string ScriptedDoor::url() const {
    const Poco::Net::SocketAddress address = listener_.address();
    return address.family() == Poco::Net::SocketAddress::UNIX_LOCAL ? "unix:" + address.toString()
                                                                    : "http://" + address.toString();
}

Client ScriptedDoor::client() const {
    return {{.address = Address::parse(url()),
             .addressOrigin = "the test",
             .token = "operator-token",
             .tokenOrigin = "the test's token file"},
            std::chrono::seconds(30)};
}

std::vector<std::string> ScriptedDoor::asked() const {
    std::vector<std::string> lines;
    for (const ScriptedRequest& request : requests()) {
        lines.push_back(request.method + " " + request.target);
    }
    return lines;
}

std::vector<ScriptedRequest> ScriptedDoor::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

void ScriptedDoor::accept() {
    for (;;) {
        Poco::Net::StreamSocket socket = listener_.acceptConnection();
        const std::lock_guard lock(mutex_);
        if (closing_) {
            return;
        }
        connections_.emplace_back([this, socket] { serve(socket); });
    }
}

void ScriptedDoor::serve(Poco::Net::StreamSocket socket) {
    try {
        const std::optional<ScriptedRequest> request = readRequest(socket);
        if (!request) {
            return;
        }
        {
            const std::lock_guard lock(mutex_);
            requests_.push_back(*request);
        }
        handler_(*request, socket);
        socket.shutdownSend();
        awaitClose(socket);
    } catch (const Poco::Exception&) {
        // The client has gone, as it may.
    }
}

void send(Poco::Net::StreamSocket& socket, const std::string& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
        sent += static_cast<std::size_t>(
            socket.sendBytes(bytes.data() + sent, static_cast<int>(bytes.size() - sent)));
    }
}

void answer(Poco::Net::StreamSocket& socket, int status, const std::string& body,
            const std::string& contentType) {
    send(socket, "HTTP/1.1 " + std::to_string(status) + " Reason\r\nContent-Type: " + contentType +
                     "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}

void openStream(Poco::Net::StreamSocket& socket) {
    send(socket, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
}

void awaitClose(Poco::Net::StreamSocket& socket) {
    char buffer[256];
    while (socket.receiveBytes(buffer, sizeof(buffer)) > 0) {
    }
}

ScriptedDoor::Handler canned(std::map<std::string, std::string> answers) {
    return [answers = std::move(answers)](const ScriptedRequest& request, Poco::Net::StreamSocket& socket) {
        const auto found = answers.find(request.method + " " + request.target);
        if (found == answers.end()) {
            answer(socket, 404, R"({"error":{"code":"not_found","message":"There is no such thing."}})");
        } else {
            answer(socket, 200, found->second);
        }
    };
}

}  // namespace sallyport::host::client
