// What is done to a Sallyport without a daemon that runs.
#pragma once

#include <Poco/JSON/Object.h>

#include "host/client/failure.h"
#include "host/maintenance/arguments.h"

namespace sallyport::host::maintenance {

/// What came of a task.
struct Outcome {
    client::ExitCode code = client::ExitCode::ok;
    Poco::JSON::Object::Ptr document{};  ///< for programs; null: there is nothing to tell
    Poco::JSON::Object::Ptr notes{};     ///< what people are told besides; null: nothing
};

/// An object whose members stay in order.
[[nodiscard]] inline Poco::JSON::Object::Ptr orderedObject() {
    return new Poco::JSON::Object(Poco::JSON_PRESERVE_KEY_ORDER);
}

// Each takes its arguments, and throws a client::Failure, or what else keeps it from being done. What is made
// belongs to whom it should: run by root, a task gives up root's rights where that is said.

/// Copies the database: `data-dir`, `config` (for where the master key is), `file`, `force`. SIGTERM stops
/// it: then nothing is left of the copy.
[[nodiscard]] Outcome backUp(Arguments& arguments);

/// Puts a backup in the database's place: `data-dir`, `config`, `file`, `force`. Run by root it goes on with
/// the rights of the data directory's owner, for good.
[[nodiscard]] Outcome restore(Arguments& arguments);

/// Looks a Sallyport over: `config`, `define` (any number), `token-file`, `offline`. Run by root it goes on
/// with the rights of the data directory's owner, for good.
[[nodiscard]] Outcome diagnose(Arguments& arguments);

/// Looks at plugins as the daemon would, without running them: `config`, `data-dir`, `file` (any number),
/// `unlisted` (what `plugins.trusted` does not name is no problem).
[[nodiscard]] Outcome verifyPlugins(Arguments& arguments);

}  // namespace sallyport::host::maintenance
