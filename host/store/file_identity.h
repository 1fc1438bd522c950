// Whether the files of an open database are still the ones that their names lead to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace sallyport::host::store {

/// The files of a database as they were when it was opened. One that is deleted or replaced can still be
/// written through what is open, and is gone with the process. [any thread]
class FileIdentity {
public:
    /// @param file of a database that is open, so that what SQLite keeps beside it is there, too.
    explicit FileIdentity(const std::string& file);

    /// What has become of them, for the operator; nothing while they are what they were.
    [[nodiscard]] std::optional<std::string> problem() const;

    /// @throws EngineError with `problem`, if there is one.
    void require() const;

private:
    struct Known {
        std::string name;
        dev_t device;
        ino_t inode;
    };
    std::vector<Known> files_;
};

}  // namespace sallyport::host::store
