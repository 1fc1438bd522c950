// `sallyportd --maintain`: what `sallyport` has done that needs no daemon that runs.
#pragma once

#include <string>
#include <vector>

namespace sallyport::host::maintenance {

/// What is written to standard output, and what the process then ends with.
struct Answer {
    std::string document;
    int exitCode = 0;
};

/// Does a task. The document is a JSON object on one line:
///
///     {"version":"0.1.0","exit_code":0,"document":{…},"notes":{…}}
///     {"version":"0.1.0","exit_code":1,"error":{"message":"…","hints":["…"]}}
///
/// `version` is this program's; `document` is what `sallyport --json` prints and `notes` what people are told
/// besides, each if there is any.
/// @param words the name of a task (`doctor`, `backup`, `restore`, `verify`) and its arguments, see tasks.h,
///              among them `--for=VERSION`: that of the program that asks. Another than this one's is refused
///              before anything is done.
[[nodiscard]] Answer answer(const std::vector<std::string>& words);

/// The same as a program: writes the document to standard output, and nothing else gets there. @return the
/// exit code.
[[nodiscard]] int run(const std::vector<std::string>& words);

}  // namespace sallyport::host::maintenance
