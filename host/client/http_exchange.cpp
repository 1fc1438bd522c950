#include "host/client/http_exchange.h"

#include <algorithm>
#include <cerrno>
#include <istream>
#include <utility>

#include <sys/socket.h>

#include <Poco/Exception.h>
#include <Poco/Net/MediaType.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/String.h>
#include <Poco/Timespan.h>

#include <sallyport/json.h>

#include "host/client/failure.h"
#include "host/client/user_name.h"

namespace sallyport::host::client {

namespace {

/// Workers decide how long events are; no list of them may fill the memory.
constexpr std::size_t greatestAnswer = 256UL << 20U;

Poco::Timespan timespan(std::chrono::milliseconds time) {
    return Poco::Timespan(std::chrono::microseconds(time).count());
}

Poco::Net::SocketAddress socketAddress(const Address& address) {
    if (address.unixSocket) {
        return {Poco::Net::SocketAddress::UNIX_LOCAL, address.path};
    }
    return {address.host, address.port};
}

/// The address and where it was found, for a sentence.
std::string nameOf(const Access& access) {
    return access.address.text + " (from " + access.addressOrigin + ")";
}

std::string whyNot(const Poco::Exception& problem) {
    switch (problem.code()) {
        case ECONNREFUSED:
            return "nobody listens there";
        case ENOENT:
            return "there is no such socket";
        case EACCES:
            return "your user may not connect to it";
        default:
            return problem.displayText();
    }
}

std::string whatToDo(const Poco::Exception& problem, const Access& access) {
    if (access.address.unixSocket && problem.code() == EACCES) {
        return "Try sudo, or become a member of the group that the socket belongs to.";
    }
    // It was the daemon that wrote where its socket is.
    return access.peers.empty() ? "Is the daemon running?"
                                : "The daemon does not run: start it (systemctl start sallyport).";
}

/// After a crash a socket may be somebody else's, who would like a token.
void requirePeer(const Poco::Net::StreamSocket& socket, const Access& access) {
    if (access.peers.empty()) {
        return;
    }
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket.impl()->sockfd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        throw Unreachable("who answers at " + nameOf(access) + " cannot be seen: nothing was sent");
    }
    if (std::find(access.peers.begin(), access.peers.end(), peer.uid) == access.peers.end()) {
        throw Unreachable(
            "process " + std::to_string(peer.pid) + " of " + userName(peer.uid) + " answers at " +
                nameOf(access) + ", and that is neither root nor the owner of " + access.dataDir +
                ": nothing was sent",
            {"Somebody may have taken the daemon's place: see what that process is, and start the daemon."});
    }
}

/// What the door said about its refusal: `{"error":{"code","message"}}`; nothing if the body is another.
std::optional<std::pair<std::string, std::string>> explanation(const std::string& body) {
    try {
        const json::Object answer = json::Value::parse(body).object();
        const json::Value* error = answer.find("error");
        if (error == nullptr) {
            return std::nullopt;
        }
        const json::Object members = error->object();
        const json::Value* code = members.find("code");
        const json::Value* message = members.find("message");
        if (code == nullptr || message == nullptr || !code->string() || !message->string()) {
            return std::nullopt;
        }
        return std::pair(*code->string(), *message->string());
    } catch (const json::ParseError&) {
        return std::nullopt;
    }
}

}  // namespace

HttpExchange::HttpExchange(const Access& access, std::chrono::milliseconds timeout) : access_(access) {
    try {
        Poco::Net::StreamSocket socket;
        socket.connect(socketAddress(access.address), timespan(timeout));
        requirePeer(socket, access);
        socket.setReceiveTimeout(timespan(timeout));
        socket.setSendTimeout(timespan(timeout));
        session_ = std::make_unique<Poco::Net::HTTPClientSession>(socket);
    } catch (const Poco::TimeoutException&) {
        throw Unreachable("cannot reach " + nameOf(access) + ": no answer in time");
    } catch (const Poco::Exception& problem) {
        throw Unreachable(
            "cannot reach " + nameOf(access) + ": " + whyNot(problem),
            {whatToDo(problem, access),
             "Does it listen elsewhere? --url URL, or --data-dir DIR where it keeps its data."});
    }
}

/// Runs one step of the exchange, and says in our words what went wrong in it.
template <typename Action>
auto HttpExchange::attempt(const char* what, Action action) {
    try {
        return action();
    } catch (const Poco::TimeoutException&) {
        throw Unreachable(access_.address.text + " did not answer in time");
    } catch (const Poco::Net::MessageException&) {
        throw Unreachable(access_.address.text + " did not answer with HTTP");
    } catch (const Poco::Exception& problem) {
        throw Unreachable(access_.address.text + ": " + what + ": " + problem.displayText());
    }
}

void HttpExchange::ask(const std::string& method, const std::string& target, const std::string& body,
                       const std::string& lastEventId) {
    Poco::Net::HTTPRequest request(method, access_.address.basePath + target,
                                   Poco::Net::HTTPMessage::HTTP_1_1);
    request.set("Host", access_.address.authority());
    if (!access_.token.empty()) {
        request.set("Authorization", "Bearer " + access_.token);
    }
    request.set("User-Agent", "sallyport/" SALLYPORT_VERSION);
    if (!lastEventId.empty()) {
        request.set("Last-Event-ID", lastEventId);
    }
    if (!body.empty()) {
        request.setContentType("application/json");
    }
    if (!body.empty() || method == Poco::Net::HTTPRequest::HTTP_POST) {
        request.setContentLength64(static_cast<Poco::Int64>(body.size()));
    }
    attempt("sending", [&] { session_->sendRequest(request) << body; });
    answer_ = attempt("receiving", [&] { return &session_->receiveResponse(response_); });
    const Poco::Net::MediaType type(response_.getContentType());
    contentType_ = Poco::toLower(type.getType() + "/" + type.getSubType());
    if (response_.getStatus() < 200 || response_.getStatus() > 299) {
        refuse();
    }
}

void HttpExchange::refuse() {
    const int status = response_.getStatus();
    const std::string http = "HTTP " + std::to_string(status);
    if (const auto said = explanation(readAll())) {
        std::vector<std::string> hints;
        if (status == Poco::Net::HTTPResponse::HTTP_UNAUTHORIZED) {
            hints.push_back("The token came from " + access_.tokenOrigin +
                            ": it may have been revoked, or belong to another daemon.");
        }
        throw Refused(status, said->second + " (" + said->first + ", " + http + ")", std::move(hints));
    }
    throw Refused(status,
                  access_.address.text + " answered " + http + " " + response_.getReason() +
                      ", which does not look like Sallyport",
                  {"Is the address (from " + access_.addressOrigin + ") that of the operator door?"});
}

std::string HttpExchange::read() {
    return attempt("receiving", [&] {
        // Through the stream's buffer: std::istream::read() would wait until its own is full.
        std::streambuf& buffer = *answer_->rdbuf();
        if (buffer.sgetc() == std::char_traits<char>::eof()) {
            return std::string();
        }
        std::string bytes(static_cast<std::size_t>(std::max<std::streamsize>(buffer.in_avail(), 1)), '\0');
        bytes.resize(
            static_cast<std::size_t>(buffer.sgetn(bytes.data(), static_cast<std::streamsize>(bytes.size()))));
        return bytes;
    });
}

std::string HttpExchange::readAll() {
    std::string body;
    for (std::string part = read(); !part.empty(); part = read()) {
        body += part;
        if (body.size() > greatestAnswer) {
            throw AnswerTooLong(access_.address.text + " sent an answer longer than 256 MiB");
        }
    }
    if (response_.hasContentLength() &&
        static_cast<Poco::Int64>(body.size()) != response_.getContentLength64()) {
        throw Unreachable(access_.address.text + " closed the connection in the middle of its answer");
    }
    return body;
}

void HttpExchange::setReadTimeout(std::chrono::milliseconds timeout) {
    session_->socket().setReceiveTimeout(timespan(timeout));
}

int HttpExchange::descriptor() {
    return session_->socket().impl()->sockfd();
}

}  // namespace sallyport::host::client
