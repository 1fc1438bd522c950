#include "host/store/intent_log.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <Poco/Checksum.h>

namespace sallyport::host::store {

namespace {

constexpr std::size_t slotSize = 4096;
constexpr std::array<char, 8> mark{'S', 'p', 'i', 'n', 't', 'e', 'n', '1'};

/// Before the text of a note. An empty place is all zeros.
struct Header {
    std::array<char, 8> mark;
    std::uint32_t size;
    std::uint32_t checksum;  ///< CRC-32 of the text: one that was half written is none
};
static_assert(sizeof(Header) + IntentLog::longest <= slotSize);

std::uint32_t checksumOf(std::string_view text) {
    Poco::Checksum sum(Poco::Checksum::TYPE_CRC32);
    sum.update(text.data(), static_cast<unsigned>(text.size()));
    return sum.checksum();
}

std::string slotOf(std::string_view text) {
    const Header header{mark, static_cast<std::uint32_t>(text.size()), checksumOf(text)};
    std::string slot(slotSize, '\0');
    std::memcpy(slot.data(), &header, sizeof header);
    text.copy(slot.data() + sizeof header, text.size());
    return slot;
}

std::optional<std::string> textIn(const std::string& slot) {
    Header header{};
    std::memcpy(&header, slot.data(), sizeof header);
    if (header.mark != mark || header.size > IntentLog::longest) {
        return std::nullopt;
    }
    std::string text = slot.substr(sizeof header, header.size);
    return checksumOf(text) == header.checksum ? std::optional(std::move(text)) : std::nullopt;
}

std::string reason() {
    return std::generic_category().message(errno);
}

}  // namespace

IntentLog::IntentLog(const std::string& file, Logger& log)
    : log_(log),
      file_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)),
      notes_(places) {
    if (!file_.open()) {
        log_.warn("there is no file to note revocations in while the disk is full",
                  {{"file", file}, {"reason", reason()}});
        return;
    }
    read();
    reserve();
}

void IntentLog::read() {
    std::string slot(slotSize, '\0');
    for (Place place = 0; place < places; ++place) {
        const auto got = ::pread(file_.get(), slot.data(), slot.size(), static_cast<off_t>(place * slotSize));
        if (got != static_cast<ssize_t>(slot.size())) {
            return;
        }
        notes_[place] = textIn(slot);
    }
}

/// Written and not only allocated: what is allocated may still want space for saying that it is written.
void IntentLog::reserve() {
    const std::lock_guard lock(mutex_);
    if (!file_.open() || reserved_) {
        return;
    }
    struct stat status {};
    if (::fstat(file_.get(), &status) != 0) {
        return;
    }
    const std::string empty(slotSize, '\0');
    reserved_ = true;
    for (auto place = static_cast<Place>(status.st_size) / slotSize; reserved_ && place < places; ++place) {
        reserved_ = notes_[place].has_value() || write(place, empty);
    }
    reserved_ = reserved_ && ::fdatasync(file_.get()) == 0;
    if (!reserved_ && !troubleLogged_) {
        log_.warn("the space to note revocations in while the disk is full could not be reserved",
                  {{"reason", reason()}});
    }
    troubleLogged_ = !reserved_;
}

std::vector<IntentLog::Note> IntentLog::notes(std::string_view kind) const {
    std::vector<Note> found;
    const std::lock_guard lock(mutex_);
    for (Place place = 0; place < places; ++place) {
        const auto& note = notes_[place];
        if (note && note->starts_with(kind) && note->size() > kind.size() && (*note)[kind.size()] == ' ') {
            found.push_back({place, note->substr(kind.size() + 1)});
        }
    }
    return found;
}

std::optional<IntentLog::Place> IntentLog::add(std::string_view kind, std::string_view text) {
    std::string note = std::string(kind) + " " + std::string(text);
    if (!file_.open() || note.size() > longest) {
        return std::nullopt;
    }
    const std::lock_guard lock(mutex_);
    const auto free = std::find(notes_.begin(), notes_.end(), std::nullopt);
    if (free == notes_.end()) {
        return std::nullopt;
    }
    const auto place = static_cast<Place>(free - notes_.begin());
    if (!write(place, slotOf(note)) || ::fdatasync(file_.get()) != 0) {
        return std::nullopt;
    }
    *free = std::move(note);
    return place;
}

void IntentLog::remove(Place place) {
    const std::lock_guard lock(mutex_);
    // Not brought to the disk: what it says is done, and doing it again changes nothing.
    static_cast<void>(write(place, std::string(slotSize, '\0')));
    notes_[place].reset();
}

bool IntentLog::write(Place place, const std::string& slot) const {
    const auto at = static_cast<off_t>(place * slotSize);
    return ::pwrite(file_.get(), slot.data(), slot.size(), at) == static_cast<ssize_t>(slot.size());
}

}  // namespace sallyport::host::store
