// JSON: stepping over a text and walking through it agree, and what has been accepted can be written again.
#include <optional>

#include <sallyport/json.h>
#include <sallyport/json_reader.h>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport;
using fuzz::require;

constexpr json::Limits limits{.depth = 16, .values = 64};

/// How many elements and members there are.
std::size_t walk(json::Reader& reader) {
    std::size_t values = 0;
    switch (reader.kind()) {
        case json::Kind::object:
            reader.enterObject();
            while (const auto name = reader.nextMember()) {
                values += 1 + walk(reader);
            }
            break;
        case json::Kind::array:
            reader.enterArray();
            while (reader.nextElement()) {
                values += 1 + walk(reader);
            }
            break;
        default:
            reader.skip();
            break;
    }
    return values;
}

/// Nothing if the text is refused.
std::optional<std::size_t> walkedThrough(std::string_view text) {
    try {
        json::Reader reader(text, limits);
        const std::size_t values = walk(reader);
        reader.end();
        return values;
    } catch (const json::ParseError&) {
        return std::nullopt;
    }
}

std::optional<json::Value> parsed(std::string_view text, const json::Limits& within) {
    try {
        return json::Value::parse(text, within);
    } catch (const json::ParseError&) {
        return std::nullopt;
    }
}

/// Values that are taken apart are views of the text, and say what the text says.
void takeApart(const json::Value& value) {
    if (const auto text = value.string()) {
        const std::string quoted = json::quote(*text);
        require(json::Value::parse(quoted).string() == text, "a string that is written can be read again");
    }
    if (const auto integer = value.integer()) {
        require(value.number().has_value(), "an integer is a number");
    }
    for (const json::Value& element : value.elements()) {
        require(parsed(element.raw(), limits).has_value(), "an element is JSON");
        takeApart(element);
    }
    const json::Object object = value.object();
    for (const json::Object::Member& member : object.members()) {
        require(parsed(member.value.raw(), limits).has_value(), "a member is JSON");
        require(object.find(member.name) != nullptr, "a member is found by its name");
        takeApart(member.value);
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::textOf(data, size);
    const auto value = parsed(text, limits);
    const auto values = walkedThrough(text);
    require(value.has_value() == values.has_value(), "stepping over a text and walking through it agree");
    static_cast<void>(parsed(text, json::unlimited));
    if (!value) {
        return 0;
    }
    require(*values <= limits.values, "a text with too many values is refused");
    require(parsed(text, {limits.depth, *values}).has_value(),
            "a text with as many values as may be is accepted");
    require(*values == 0 || !parsed(text, {limits.depth, *values - 1}),
            "a text with one value more is refused");
    takeApart(*value);
    const std::string compact = value->compact();
    require(compact.find_first_of("\r\n") == std::string::npos, "a compact text is one line");
    require(json::Value::parse(compact).compact() == compact, "a compact text stays as it is");
    return 0;
}
