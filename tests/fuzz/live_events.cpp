// What subscribers are shown of an event: one JSON object on one line, whatever the worker sent. The first
// line of the input is the event's type, the rest its data.
#include <sallyport/json.h>

#include "plugins/events/broadcast.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport;
using fuzz::require;

const JobId job = *JobId::parse("67e55044-10b1-426f-9247-bb680e5fe0c8");

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input = fuzz::textOf(data, size);
    const std::string_view type = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(type.size() + 1, input.size()));
    std::optional<json::Value> sent;
    try {
        sent = json::Value::parse(input);
    } catch (const json::ParseError&) {
        return 0;  // it was refused
    }
    const plugins::Broadcast shown = plugins::broadcastOf(job, type, *sent);
    require(shown.data.find_first_of("\r\n") == std::string::npos, "what is shown is one line");
    try {
        const json::Object object = json::Value::parse(shown.data, json::unlimited).object();
        require(object.string("type") == shown.type, "what is shown has its type, once");
        require(object.string("job_id") == job.str(), "what is shown has its job, once");
    } catch (const std::exception&) {
        require(false, "what is shown is an object with a type and a job");
    }
    return 0;
}
