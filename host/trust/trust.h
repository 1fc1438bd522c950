// Whose files are believed.
#pragma once

#include <stdexcept>
#include <string>

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

namespace sallyport::host::trust {

/// A file that somebody else may change, or replace. what() is a clause that says who, and what to do.
class Untrusted : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What root and one other user own is trusted, as long as nobody else may write to it: neither to the file,
/// nor to a directory on the way to it, where it could be replaced. In a directory such as /tmp, where nobody
/// may take away what belongs to others (its sticky bit is set), what they own is safe. An access control
/// list that lets others write shows in a file's mode as the group's right.
///
/// Who owns, or may write to, a directory on the way to this very executable is trusted as far as that goes:
/// by replacing it they could do anything. [any thread]
class Trust {
public:
    /// @param user that the daemon runs as.
    explicit Trust(uid_t user = ::geteuid()) : user_(user) {}

    /// For what was opened, so that no other file is read than the one that was looked at.
    /// @param path what was opened, for sentences and to look at the way.
    /// @throws Untrusted
    void requireFile(int descriptor, const std::string& path) const;

    /// For a directory in which others must not put anything, sticky or not. @throws Untrusted
    void requireDirectory(const std::string& directory) const;

    [[nodiscard]] uid_t user() const noexcept { return user_; }

private:
    void requireWay(const std::string& path) const;
    void requireOwner(const struct stat& status, const std::string& path) const;
    void requireClosed(const struct stat& status, const std::string& path) const;

    uid_t user_;
};

/// Whom the daemon runs as, as far as its data directory tells: its owner, else the user who runs this.
[[nodiscard]] uid_t daemonUser(const std::string& dataDirectory);

}  // namespace sallyport::host::trust
