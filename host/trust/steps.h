// The way that a path takes through the file system.
#pragma once

#include <string>
#include <vector>

namespace sallyport::host::trust {

/// One look-up on the way to a file: of a name in a directory.
struct Step {
    std::string directory;  ///< absolute, without links
    std::string name;

    bool operator==(const Step&) const = default;
};

/// The look-ups that opening `path` takes, those of the symbolic links on the way included, from `/` on. They
/// end with the first name that is not there. Whoever may write to one of these directories decides what the
/// path leads to.
[[nodiscard]] std::vector<Step> stepsTo(const std::string& path);

}  // namespace sallyport::host::trust
