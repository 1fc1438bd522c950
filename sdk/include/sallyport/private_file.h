// Files that are to be one user's alone.
#pragma once

#include <optional>
#include <string>

namespace sallyport {

/// Why a file cannot be trusted to hold what only the process's user may know.
struct Exposure {
    /// What kind of reason that is.
    enum class Kind {
        notRegular,  ///< it is a directory, a pipe or a device
        foreign,     ///< it belongs to another user, who can read and change it
        open,        ///< its mode lets others in
    };
    Kind kind;  ///< which of these
    /// Goes on from the file's name as a sentence does, and says what to do where that does not depend on
    /// what the file is for: `is no regular file`, `belongs to user id 7 and not to 0, who runs the daemon:
    /// run chown 0 <file>`, `has mode 0644`.
    std::string text;
};

/// Looks at an open file, so that it is the one that is read. [any thread]
/// @param descriptor of the file.
/// @param file       its path, for the text.
/// @return nothing for a regular file of the effective user that is closed to group and others.
/// @throws std::system_error when it cannot be examined.
[[nodiscard]] std::optional<Exposure> exposureOf(int descriptor, const std::string& file);

}  // namespace sallyport
