// What arrives on a connection: however it is cut, the same requests come out, bodies stay within their
// limit, and no more is kept than a head may have. What is for a tunnel comes out as it went in, and a target
// of a proxy in one form alone.
#include "host/http/request_reader.h"

#include <vector>

#include "host/http/authority.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport::host::http;
using sallyport::Realm;
using sallyport::fuzz::Pieces;
using sallyport::fuzz::require;
using Progress = RequestReader::Progress;

constexpr std::size_t longestBody = 300;
constexpr Limits limits{.maxHeaderBytes = 400, .maxHeaders = 8, .maxUriBytes = 100};
/// A request line, and the fields of a head.
constexpr std::size_t mostKept = 1024;

struct Outcome {
    std::vector<std::string> requests;  ///< heads and bodies, written out; last what a tunnel is handed
    int status = 0;                     ///< of the refusal that ended it
};

std::string writtenOut(const RequestHead& head) {
    std::string text = head.method + ' ' + head.path + '?' + head.query +
                       (head.keepAlive ? " keep" : " close") + (head.http10 ? " 1.0" : " 1.1") +
                       (head.expectsContinue ? " expects" : "");
    for (const auto& [name, value] : head.headers) {
        require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                "a value is one line");
        text += '\n' + name + '=' + value;
    }
    return text;
}

void checkTarget(const RequestHead& head) {
    if (!head.target) {
        return;
    }
    const auto authority = head.target->authority();
    const auto again = parseAuthority(authority, std::nullopt);
    require(again && again->authority() == authority, "a target is read as it is written");
    require(head.target->port != 0 && authority.find_first_of("@%/ \r\n") == std::string::npos,
            "a target is a host and a port");
    require(head.path == authority || head.path.starts_with('/'), "a tunnel's path is its target");
}

/// What comes after a head that hands the connection over.
void takePieces(RequestReader& reader, Outcome& outcome) {
    for (;;) {
        const auto piece = reader.takePiece();
        outcome.requests.back() += piece.bytes;
        if (piece.malformed) {
            outcome.status = 400;
            return;
        }
        if (piece.bytes.empty()) {
            if (piece.whole) {
                reader.discard();
            }
            return;
        }
    }
}

/// Hands the connection over, if that is what the head is for.
bool handsOver(RequestReader& reader, const RequestHead& head, Outcome& outcome) {
    if (!head.target) {
        return false;
    }
    if (head.asksForTunnel()) {
        reader.handOver();
    } else {
        reader.handOverContent(head);
    }
    outcome.requests.emplace_back("handed over: ");
    return true;
}

/// Goes on as long as there is input: bodies of POST are read, others are dropped.
void advance(RequestReader& reader, BodyBudget& budget, Outcome& outcome) {
    for (;;) {
        if (reader.stage() == RequestReader::Stage::handedOver) {
            takePieces(reader, outcome);
            return;
        }
        switch (reader.advance()) {
            case Progress::starved:
                return;
            case Progress::head: {
                const RequestHead head = reader.takeHead();
                outcome.requests.push_back(writtenOut(head));
                require(head.path.starts_with('/') || head.path == "*" || head.asksForTunnel(),
                        "a path begins with a slash");
                checkTarget(head);
                if (handsOver(reader, head, outcome)) {
                    break;
                }
                const bool reads = head.method == "POST"
                                       ? reader.expectBody(head, longestBody, {budget, Realm::worker})
                                       : reader.dropBody();
                if (!reads) {
                    reader.nextRequest();
                }
                break;
            }
            case Progress::body: {
                const ReceivedBody body = reader.takeBody();
                require(body.text.size() <= longestBody, "a body stays within its limit");
                outcome.requests.push_back(body.text);
                reader.nextRequest();
                break;
            }
            case Progress::dropped:
                reader.nextRequest();
                break;
            case Progress::failed:
                outcome.status = reader.error().status();
                return;
        }
    }
}

void feed(RequestReader& reader, std::string_view bytes, BodyBudget& budget, Outcome& outcome) {
    std::string input(bytes);
    reader.supply(input);
    advance(reader, budget, outcome);
    require(reader.store(), "there is memory for what is kept");
    require(outcome.status != 0 || reader.buffered() <= mostKept, "no more is kept than a head may have");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = sallyport::fuzz::textOf(data, size);
    BodyBudget budget(std::size_t{1024} * 1024);
    Outcome whole;
    RequestReader atOnce(limits, {budget, Realm::worker});
    feed(atOnce, input, budget, whole);
    Outcome cut;
    RequestReader byPieces(limits, {budget, Realm::worker});
    for (Pieces pieces(input); cut.status == 0 && !pieces.atEnd();) {
        feed(byPieces, pieces.next(), budget, cut);
    }
    require(whole.requests == cut.requests, "pieces have the same requests in them as the whole");
    require(whole.status == cut.status, "pieces are refused as the whole is");
    return 0;
}
