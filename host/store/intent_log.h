// Changes that hold already and that the database has not taken yet.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/file_descriptor.h>
#include <sallyport/log.h>

namespace sallyport::host::store {

/// A small file that has its space before it is needed, for what must last though the disk is full: that a
/// token is revoked, that a job is over. Each note stands in a place of its own, which is overwritten and
/// never grows, so that a file system that overwrites in place (ext4, XFS, tmpfs) takes it without any space
/// left. [any thread]
class IntentLog {
public:
    /// Bytes of a note, the word for its kind included.
    static constexpr std::size_t longest = 4000;
    /// Notes at the most.
    static constexpr std::size_t places = 256;

    using Place = std::size_t;
    struct Note {
        Place place;
        std::string text;
    };

    /// Opens or creates the file with mode 0600, and reserves its space as far as there is any. What goes
    /// wrong is logged: the daemon starts without it.
    IntentLog(const std::string& file, Logger& log);

    /// The notes of that kind. @param kind a word.
    [[nodiscard]] std::vector<Note> notes(std::string_view kind) const;

    /// Writes a note and returns when it is durable. @return its place; nothing if it could not be written or
    /// is too long.
    [[nodiscard]] std::optional<Place> add(std::string_view kind, std::string_view text);

    /// Removes a note, of which the database knows by now. It may come back after a crash.
    void remove(Place place);

    /// Tries again to reserve what could not be reserved.
    void reserve();

private:
    [[nodiscard]] bool write(Place place, const std::string& slot) const;
    void read();

    Logger& log_;
    FileDescriptor file_;
    mutable std::mutex mutex_;
    bool reserved_ = false;
    bool troubleLogged_ = false;
    std::vector<std::optional<std::string>> notes_;  ///< by place: kind, space, text
};

}  // namespace sallyport::host::store
