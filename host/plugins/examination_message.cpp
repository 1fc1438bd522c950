#include "host/plugins/examination_message.h"

#include <sallyport/errors.h>
#include <sallyport/json.h>

namespace sallyport::host::plugins {

std::string ExaminationMessage::line() const {
    return "{\"kind\":" + std::to_string(static_cast<int>(kind)) + ",\"plugin\":" + json::quote(plugin) +
           ",\"check\":" + json::quote(finding.check) +
           ",\"verdict\":" + std::to_string(static_cast<int>(finding.verdict)) +
           ",\"sentence\":" + json::quote(finding.sentence) + "}\n";
}

std::optional<ExaminationMessage> ExaminationMessage::read(std::string_view text) {
    try {
        const auto message = json::Value::parse(text).object();
        return ExaminationMessage{
            static_cast<Kind>(message.unsigned32("kind")),
            message.string("plugin"),
            {message.string("check"), static_cast<Verdict>(message.unsigned32("verdict")),
             message.string("sentence")}};
    } catch (const json::ParseError&) {
        return std::nullopt;
    } catch (const RequestError&) {
        return std::nullopt;
    }
}

}  // namespace sallyport::host::plugins
