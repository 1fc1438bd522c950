// Files that are replaced whole, durably.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include <sys/types.h>

#include <sallyport/file_descriptor.h>

namespace sallyport {

/// A file could not be written, named or brought to the disk. what() reads `"<file>" <problem>`.
class FileError : public std::runtime_error {
public:
    /// @param file    its path.
    /// @param problem what goes on from it as a sentence does, such as `cannot be created: No space left on
    ///                device`.
    FileError(std::string file, std::string problem);

    /// Which file.
    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    /// What is wrong with it.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

private:
    std::string file_;
    std::string problem_;
};

/// A new file beside the one that it is to become. Whoever opens the target sees the old content or the new
/// one, never a part, whatever fails and whenever the process or the machine stops:
///
/// | when it stops                        | the target             | the new file                       |
/// | ------------------------------------ | ---------------------- | ---------------------------------- |
/// | before sync() has returned           | as it was              | any part of it, or not there       |
/// | after sync()                         | as it was              | whole; its name may not be durable |
/// | within publish(), after the renaming | old or new, each whole | there or not                       |
/// | after publish() has returned         | new                    | not there                          |
/// | after keep() has returned            | as it was              | whole                              |
///
/// The content is brought to the disk before the name is given, and the name before publish() returns. The
/// order is what makes it safe: a name that becomes durable before its content would show an empty file.
///
/// The new file belongs to the process's user and has the mode that was asked for, whatever those of the
/// target are; a target that is a symbolic link is itself replaced. One that is not published is removed when
/// its object goes; what a crash left under a fixed name is removed by the next writer, and under a name of
/// its own by nobody (names of those begin as `target` and uniqueMark do). [one thread at a time]
class NewFile {
public:
    /// What stands behind the target's name in the fixed name of a new file.
    static constexpr const char* fixedMark = ".new";
    /// What stands behind it in a name of its own, before six characters of chance.
    static constexpr const char* uniqueMark = ".partial-";

    /// How the new file is called and who may open it.
    struct Options {
        mode_t mode = 0600;   ///< as open(2) takes it: the umask takes from it
        bool unique = false;  ///< a name of its own, where several may write at once; else the fixed name,
                              ///< under which what an earlier writer left is removed
    };

    /// Creates it, empty. @throws FileError
    /// @param target the path of the file to be.
    /// @param options see there.
    NewFile(std::string target, const Options& options);
    /// With a fixed name and mode 0600. @throws FileError
    explicit NewFile(std::string target);
    ~NewFile();
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;

    /// Where it is until it is published, for those who write it by other means.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// The open file, which stays its own.
    [[nodiscard]] int descriptor() const noexcept { return file_.get(); }

    /// Appends. Nothing of the text is kept in memory. @throws FileError
    void write(std::string_view text);

    /// Brings the content to the disk, also what others wrote. @throws FileError
    void sync() const;

    /// What publish() does with a file that has the target's name.
    enum class Existing {
        replace,  ///< it is gone, all at once
        refuse,   ///< it stays, and publish() throws
    };
    /// Brings the content to the disk, gives the file the target's name, and brings that to the disk.
    /// @throws FileError: if the renaming failed, the target is as it was; if bringing the name to the disk
    /// did, the target is new and may be the old one again after a power failure.
    void publish(Existing existing = Existing::replace);

    /// Brings content and name to the disk, and lets the new file stay beside the target when this object
    /// goes, to be renamed later. @throws FileError
    void keep();

private:
    std::string target_;
    std::string path_;
    FileDescriptor file_;
    bool stays_ = false;
};

/// Makes what has been created, renamed and removed in a directory durable. [any thread] @throws FileError
void syncDirectory(const std::string& directory);

/// The directory that a file is in: `.` for a bare name. [any thread]
[[nodiscard]] std::string directoryOf(const std::string& file);

}  // namespace sallyport
