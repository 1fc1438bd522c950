#include "host/cli/daemon_program.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <system_error>

#include <unistd.h>

#include "host/cli/subprocess.h"

namespace sallyport::host::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* variable = "SALLYPORT_DAEMON";
constexpr const char* name = "sallyportd";

std::vector<fs::path> foldersIn(const std::string& path) {
    std::vector<fs::path> folders;
    for (std::size_t begin = 0; begin < path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        if (end > begin) {
            folders.emplace_back(path.substr(begin, end - begin));
        }
        begin = end + 1;
    }
    return folders;
}

bool isProgram(const fs::path& file) {
    std::error_code unseen;
    return fs::is_regular_file(file, unseen) && ::access(file.c_str(), X_OK) == 0;
}

/// Where the daemon's program is. @throws Failure that says where was looked.
std::string find(const Context& context) {
    if (auto named = context.environment(variable)) {
        return *std::move(named);
    }
    std::vector<fs::path> places = context.installation.daemons;
    const std::string path = context.environment("PATH").value_or("");
    for (const fs::path& folder : foldersIn(path)) {
        places.push_back(folder / name);
    }
    for (const fs::path& place : places) {
        if (isProgram(place)) {
            return place;
        }
    }
    std::string looked;
    for (const fs::path& place : context.installation.daemons) {
        looked += place.string() + ", ";
    }
    throw Failure(
        ExitCode::refused, std::string("cannot find ") + name + ", the daemon's program, which does this",
        {"Looked for " + looked + "and in PATH (" + path + ").",
         std::string("Install the package sallyport, or let ") + variable + " be the program's path."});
}

Failure unreadable(const std::string& program, const Ended& ended) {
    return {ExitCode::refused,
            program + " ended " + ended.how() + ", without a result that can be read",
            {"Is it a sallyportd of version " SALLYPORT_VERSION "? Its option --version tells.",
             std::string("Another one is run if ") + variable + " is its path."}};
}

Answer run(const std::string& program, const std::vector<std::string>& arguments) {
    try {
        Ended ended = runProgram(program, arguments);
        if (ended.output.empty() && ended.signal != 0) {
            endBySignal(ended.signal);
        }
        try {
            return Answer(std::move(ended.output));
        } catch (const Refused&) {
            throw unreadable(program, ended);
        }
    } catch (const std::system_error& error) {
        throw Failure(
            ExitCode::refused, error.what(),
            {std::string("It is the daemon's program that does this; ") + variable + " can be its path."});
    }
}

void requireThisVersion(const Answer& answer, const std::string& program) {
    const std::string version = textOf(answer.object(), "version", "(none)");
    if (version != SALLYPORT_VERSION) {
        throw Failure(ExitCode::refused,
                      "sallyport is version " SALLYPORT_VERSION ", and " + program + " version " + version +
                          ": they work together only if that is the same",
                      {std::string("Install both from one package, or let ") + variable +
                       " be the path of the sallyportd that belongs to this sallyport."});
    }
}

std::vector<std::string> hintsOf(const json::Object& error) {
    std::vector<std::string> hints;
    for (const json::Value& hint : elementsOf(error, "hints")) {
        hints.push_back(hint.string().value_or(""));
    }
    return hints;
}

}  // namespace

std::string_view Maintained::text() const {
    const json::Value* const document = answer_.object().find("document");
    return document == nullptr ? std::string_view() : document->raw();
}

Maintained maintain(const Context& context, const std::string& task, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--maintain", task, "--for=" SALLYPORT_VERSION});
    const std::string program = find(context);
    Answer answer = run(program, arguments);
    requireThisVersion(answer, program);
    const auto code = static_cast<ExitCode>(numberOf(answer.object(), "exit_code"));
    if (answer.object().find("error") != nullptr) {
        const json::Object error = objectOf(answer.object(), "error");
        throw Failure(code, textOf(error, "message"), hintsOf(error));
    }
    return {code, std::move(answer)};
}

void addConfiguration(std::vector<std::string>& arguments, const Context& context) {
    if (const std::string file = configurationFile(context.options.locate, context.environment);
        !file.empty()) {
        arguments.push_back("--config=" + file);
    }
}

}  // namespace sallyport::host::cli
