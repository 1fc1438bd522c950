#include "host/cli/daemon_program.h"

#include "host/maintenance/maintenance.h"

namespace sallyport::host::cli {

namespace {

std::vector<std::string> hintsOf(const json::Object& error) {
    std::vector<std::string> hints;
    for (const json::Value& hint : elementsOf(error, "hints")) {
        hints.push_back(hint.string().value_or(""));
    }
    return hints;
}

Maintained read(Answer answer) {
    const json::Object& object = answer.object();
    const auto code = static_cast<ExitCode>(numberOf(object, "exit_code"));
    if (object.find("error") != nullptr) {
        const json::Object error = objectOf(object, "error");
        throw Failure(code, textOf(error, "message"), hintsOf(error));
    }
    return {code, std::move(answer)};
}

}  // namespace

std::string_view Maintained::text() const {
    const json::Value* const document = answer_.object().find("document");
    return document == nullptr ? std::string_view() : document->raw();
}

Maintained maintain(const Context& /*context*/, const std::string& task, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {task, "--for=" SALLYPORT_VERSION});
    return read(Answer(maintenance::answer(arguments).document));
}

void addConfiguration(std::vector<std::string>& arguments, const Context& context) {
    if (const std::string file = configurationFile(context.options.locate, context.environment);
        !file.empty()) {
        arguments.push_back("--config=" + file);
    }
}

}  // namespace sallyport::host::cli
