// How fast a conversation gets from a worker's body into a provider's: the ways there are, side by side.
//
// Each way reads the body of llm/complete and writes that of Chat Completions. Printed are megabytes of
// conversation a second, the best of many rounds. "checked" tells whether a body that is no JSON would be
// refused; only then may bytes of it be copied into another.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

#include <simdjson.h>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include <sallyport/json.h>

#include "plugins/llm/dialect.h"
#include "plugins/llm/native.h"

namespace {

using namespace sallyport;
using namespace sallyport::plugins::llm;

// --- Conversations --------------------------------------------------------------------------------------

std::string image() {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string url = "data:image/png;base64,";
    for (std::size_t i = 0; i < 600000; ++i) {
        url += alphabet[(i * 7 + i / alphabet.size()) % alphabet.size()];
    }
    return url;
}

/// Messages with source code in them, which is full of quotation marks and line ends; every eighth with an
/// image if so wished.
std::string conversation(std::size_t size, bool images) {
    std::string code;
    for (int i = 0; i < 30; ++i) {
        code += R"(    if (name == \"key\") { return value; }  // a line as it might stand there\n)";
    }
    const std::string picture = images ? image() : "";
    std::string body = R"({"messages":[{"role":"system","content":"You write code."})";
    for (int i = 0; body.size() < size; ++i) {
        body += i % 2 == 0 ? R"(,{"role":"user","content":")" : R"(,{"role":"assistant","content":")";
        body += code + '"';
        if (images && i % 8 == 2) {
            body += R"(,"content_parts":[{"type":"image_url","image_url":{"url":")" + picture + R"("}}])";
        }
        body += '}';
    }
    return body + R"(],"max_tokens":1000,"temperature":0.2})";
}

// --- The ways -------------------------------------------------------------------------------------------

std::string withPoco(const std::string& body) {
    Poco::JSON::Parser parser;
    const auto request = parser.parse(body).extract<Poco::JSON::Object::Ptr>();
    Poco::JSON::Array::Ptr messages = new Poco::JSON::Array;
    for (const auto& element : *request->getArray("messages")) {
        const auto& message = element.extract<Poco::JSON::Object::Ptr>();
        Poco::JSON::Object::Ptr copy = new Poco::JSON::Object;
        copy->set("role", message->get("role"));
        if (message->has("content_parts")) {
            copy->set("content", message->get("content_parts"));
        } else {
            copy->set("content", message->get("content"));
        }
        messages->add(copy);
    }
    Poco::JSON::Object out;
    out.set("model", "m");
    out.set("messages", messages);
    out.set("max_tokens", request->get("max_tokens"));
    std::ostringstream stream;
    out.stringify(stream);
    return stream.str();
}

/// The SDK's values, which are looked for anew in each object, and copying.
std::string withSdk(const std::string& body) {
    const json::Object request = json::Value::parse(body).object();
    std::string out = R"({"model":"m","messages":[)";
    out.reserve(body.size() + 4096);
    for (const json::Value& element : request.find("messages")->elements()) {
        const json::Object message = element.object();
        const json::Value* const parts = message.find("content_parts");
        out += R"({"role":)";
        out += message.find("role")->raw();
        out += R"(,"content":)";
        out += (parts == nullptr ? message.find("content") : parts)->raw();
        out += "},";
    }
    out.back() = ']';
    return out + R"(,"max_tokens":1000})";
}

/// simdjson's tree, which decodes every string, and printing.
std::string withDom(const std::string& body) {
    thread_local simdjson::dom::parser parser;
    const simdjson::dom::object request = parser.parse(body);
    std::string out = R"({"model":"m","messages":[)";
    out.reserve(body.size() + 4096);
    for (const simdjson::dom::object message : request["messages"].get_array()) {
        simdjson::dom::element content;
        if (message["content_parts"].get(content) != simdjson::SUCCESS) {
            content = message["content"];
        }
        out += R"({"role":)" + simdjson::minify(message["role"]) + R"(,"content":)" +
               simdjson::minify(content) + "},";
    }
    out.back() = ']';
    return out + R"(,"max_tokens":1000})";
}

/// simdjson on demand, which needs a padded copy, and copying of what it steps over and does not look into.
std::string withOnDemand(const std::string& body) {
    thread_local simdjson::ondemand::parser parser;
    const simdjson::padded_string padded(body);
    simdjson::ondemand::document request = parser.iterate(padded);
    std::string out = R"({"model":"m","messages":[)";
    out.reserve(body.size() + 4096);
    for (simdjson::ondemand::object message : request["messages"].get_array()) {
        std::string_view role;
        std::string_view content;
        for (auto field : message) {
            const simdjson::ondemand::raw_json_string name = field.key();
            if (name == "role") {
                role = field.value().raw_json_token();
            } else if (name == "content") {
                content = field.value().raw_json_token();
            } else if (name == "content_parts") {
                content = simdjson::ondemand::array(field.value().get_array()).raw_json();
            }
        }
        out += R"({"role":)";
        out += role;
        out += R"(,"content":)";
        out += content;
        out += "},";
    }
    out.back() = ']';
    return out + R"(,"max_tokens":1000})";
}

std::string withDialect(const std::string& body) {
    return dialect(ProviderType::openai).body(parseChatRequest(body, false), {.model = "m"});
}

std::string withNative(const std::string& body) {
    return rewritten(inspect(NativeEndpoint::chatCompletions, body), {.model = "m"});
}

// --- Measuring ------------------------------------------------------------------------------------------

double megabytesPerSecond(std::string (*way)(const std::string&), const std::string& body) {
    using Clock = std::chrono::steady_clock;
    double best = 0;
    for (const Clock::time_point end = Clock::now() + std::chrono::seconds(1); Clock::now() < end;) {
        const Clock::time_point start = Clock::now();
        const std::string out = way(body);
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        if (out.size() < body.size() / 2) {
            std::abort();
        }
        best = std::max(best, static_cast<double>(body.size()) / seconds / 1e6);
    }
    return best;
}

struct Way {
    const char* name;
    const char* checked;
    std::string (*run)(const std::string&);
};

constexpr Way ways[] = {
    {"Poco::JSON, a tree and printing", "yes", withPoco},
    {"json::Value and copying", "yes", withSdk},
    {"simdjson DOM and printing", "yes", withDom},
    {"simdjson on demand and copying", "no", withOnDemand},
    {"llm/complete: json::Reader and copying", "yes", withDialect},
    {"pass-through: json::Reader and copying", "yes", withNative},
};

}  // namespace

int main() {
    const std::string text = conversation(200'000, false);
    const std::string longText = conversation(5'000'000, false);
    const std::string pictures = conversation(5'000'000, true);
    std::printf("%-40s %8s %12s %12s %12s\n", "MB/s", "checked", "200 kB", "5 MB", "5 MB, images");
    for (const Way& way : ways) {
        std::printf("%-40s %8s %12.0f %12.0f %12.0f\n", way.name, way.checked,
                    megabytesPerSecond(way.run, text), megabytesPerSecond(way.run, longText),
                    megabytesPerSecond(way.run, pictures));
    }
    return EXIT_SUCCESS;
}
