#include "host/maintenance/maintenance.h"

#include <cerrno>
#include <exception>
#include <iostream>
#include <sstream>
#include <system_error>

#include <build_info.h>
#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#include <Poco/JSON/Array.h>

#include <sallyport/errors.h>
#include <sallyport/file_descriptor.h>

#include "host/maintenance/tasks.h"
#include "sdk/src/utf8.h"

namespace sallyport::host::maintenance {

namespace {

using client::ExitCode;
using client::Failure;

Outcome perform(const std::string& task, Arguments& arguments) {
    if (const auto asker = arguments.take("for"); asker != version) {
        throw Failure(ExitCode::refused, "version " + asker.value_or("(none)") +
                                             " of sallyport asks, and this is sallyportd " + version);
    }
    if (task == "doctor") {
        return diagnose(arguments);
    }
    if (task == "backup") {
        return backUp(arguments);
    }
    if (task == "restore") {
        return restore(arguments);
    }
    if (task == "verify") {
        return verifyPlugins(arguments);
    }
    throw client::UsageError("there is no task '" + task + "'");
}

Answer answered(ExitCode code, const char* member, const Poco::JSON::Object::Ptr& value,
                const Poco::JSON::Object::Ptr& notes) {
    const int number = static_cast<int>(code);
    auto whole = orderedObject();
    whole->set("version", version);
    whole->set("exit_code", number);
    if (value) {
        whole->set(member, value);
    }
    if (notes) {
        whole->set("notes", notes);
    }
    std::ostringstream text;
    whole->stringify(text);
    // The names of files may be of any bytes.
    return {utf8::repaired(text.str()) + "\n", number};
}

Answer failed(ExitCode code, const std::string& message, const std::vector<std::string>& hints) {
    Poco::JSON::Array lines;
    for (const std::string& hint : hints) {
        lines.add(hint);
    }
    auto error = orderedObject();
    error->set("message", message);
    error->set("hints", lines);
    return answered(code, "error", error, nullptr);
}

}  // namespace

Answer answer(const std::vector<std::string>& words) {
    try {
        if (words.empty()) {
            throw client::UsageError("which task?");
        }
        Arguments arguments({words.begin() + 1, words.end()});
        const Outcome outcome = perform(words.front(), arguments);
        return answered(outcome.code, "document", outcome.document, outcome.notes);
    } catch (const Failure& failure) {
        return failed(failure.code(), failure.what(), failure.hints());
    } catch (const StoreError& error) {
        return failed(ExitCode::refused, error.detail(), {});
    } catch (const std::exception& problem) {
        return failed(ExitCode::refused, problem.what(), {});
    }
}

int run(const std::vector<std::string>& words) {
    // Whatever a library prints on the way goes to standard error.
    const FileDescriptor result(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!result.open() || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        std::cerr << "sallyportd: standard output: " << std::generic_category().message(errno) << std::endl;
        return EX_IOERR;
    }
    const Answer given = answer(words);
    return writeAll(result.get(), given.document) ? given.exitCode : EX_IOERR;
}

}  // namespace sallyport::host::maintenance
