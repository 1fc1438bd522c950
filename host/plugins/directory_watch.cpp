#include "host/plugins/directory_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/plugins/plugin_file.h"

namespace sallyport::host::plugins {

namespace {

namespace fs = std::filesystem;

constexpr auto settlingTime = std::chrono::milliseconds(250);
/// The ways change while they are followed, when directories are made one in the other.
constexpr int mostLooks = 8;

constexpr std::uint32_t stepEvents =
    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t fileEvents = stepEvents | IN_MODIFY | IN_CLOSE_WRITE;
constexpr std::uint32_t placeIsGone = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;
constexpr std::uint32_t nameIsAnother = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;

std::string inDirectory(const std::string& directory, const std::string& name) {
    return (fs::path(directory) / name).string();
}

/// A file that was just made by opening it. A link to a complete one is not empty.
bool isEmptyFile(const std::string& file) {
    struct stat status {};
    return ::lstat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0;
}

}  // namespace

bool DirectoryWatch::Place::has(const std::string& file) const {
    const auto name = fs::path(file).filename().string();
    const auto found = files.find(name);
    return (found != files.end() && found->second == file) ||
           std::any_of(plugins.begin(), plugins.end(),
                       [&](const std::string& directory) { return inDirectory(directory, name) == file; });
}

DirectoryWatch::DirectoryWatch(Logger& log, Changed changed)
    : log_(log), changed_(std::move(changed)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

DirectoryWatch::~DirectoryWatch() {
    stop();
}

void DirectoryWatch::watch(Watched watched) {
    const std::lock_guard lock(mutex_);
    if (stopped_ || (watched == watched_ && complete_)) {
        return;
    }
    watched_ = std::move(watched);
    begin();
    if (inotify_) {
        lookAgain();
    }
}

bool DirectoryWatch::isBeingWritten(const std::string& file) const {
    const std::lock_guard lock(mutex_);
    return beingWritten_.contains(file);
}

void DirectoryWatch::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    if (!thread_.joinable()) {
        return;
    }
    thread_.request_stop();
    const std::uint64_t one = 1;
    static_cast<void>(::write(wake_.get(), &one, sizeof one) == sizeof one);
    thread_.join();
}

/// Nothing is spent on watching before it is asked for.
void DirectoryWatch::begin() {
    if (inotify_ || (watched_.directories.empty() && watched_.files.empty())) {
        return;
    }
    FileDescriptor descriptor(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!descriptor.open() || !wake_.open()) {
        log_.warn("plugins cannot be watched; ask for a reload instead",
                  {{"error", std::generic_category().message(errno)}});
        return;
    }
    inotify_.emplace(std::move(descriptor));
    thread_ = std::jthread([this](const std::stop_token& stopping) { run(stopping); });
}

/// Directories that are the same as before stay watched meanwhile, so that nothing is missed in them.
void DirectoryWatch::lookAgain() {
    for (int looks = 0; looks < mostLooks; ++looks) {
        const auto before = std::exchange(places_, {});
        complete_ = true;
        const auto steps = allSteps();
        addPlaces();
        for (const auto& [number, place] : before) {
            if (!places_.contains(number)) {
                ::inotify_rm_watch(inotify_->get(), number);
            }
        }
        std::erase_if(beingWritten_, [&](const std::string& file) {
            return std::none_of(places_.begin(), places_.end(), [&](const auto& entry) {
                return before.contains(entry.first) && entry.second.has(file);
            });
        });
        if (allSteps() == steps) {
            return;
        }
    }
}

std::vector<trust::Step> DirectoryWatch::allSteps() const {
    std::vector<trust::Step> steps;
    for (const auto* paths : {&watched_.directories, &watched_.files}) {
        for (const auto& path : *paths) {
            const auto way = trust::stepsTo(path);
            steps.insert(steps.end(), way.begin(), way.end());
        }
    }
    return steps;
}

void DirectoryWatch::addPlaces() {
    for (const auto& [directory, name] : allSteps()) {
        if (auto* const found = place(directory, stepEvents)) {
            found->steps.insert(name);
        }
    }
    for (const auto& directory : watched_.directories) {
        std::error_code missing;
        const auto real = fs::canonical(directory, missing);
        if (auto* const found = missing ? nullptr : place(real.string(), fileEvents)) {
            found->plugins.insert(directory);
        }
    }
    for (const auto& file : watched_.files) {
        const auto way = trust::stepsTo(file);
        if (way.empty()) {
            continue;
        }
        if (auto* const found = place(way.back().directory, fileEvents)) {
            found->files[way.back().name] = file;
        }
    }
}

DirectoryWatch::Place* DirectoryWatch::place(const std::string& directory, std::uint32_t events) {
    const int number =
        ::inotify_add_watch(inotify_->get(), directory.c_str(), events | IN_ONLYDIR | IN_MASK_ADD);
    if (number >= 0) {
        places_[number].path = directory;
        return &places_[number];
    }
    // What is not there is noticed where it would be; what may not be read is refused anyway.
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
        complete_ = false;
        log_.warn("a directory cannot be watched for plugins; ask for a reload instead",
                  {{"directory", directory}, {"error", std::generic_category().message(errno)}});
    }
    return nullptr;
}

void DirectoryWatch::run(const std::stop_token& stopping) {
    while (!stopping.stop_requested()) {
        std::array<pollfd, 2> descriptors{{{inotify_->get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
        ::poll(descriptors.data(), descriptors.size(), patience());
        readEvents();
        if (stopping.stop_requested() || !takeDue()) {
            continue;
        }
        try {
            changed_();
        } catch (const std::exception& error) {
            log_.error("what was noticed could not be acted upon", {{"error", error.what()}});
        }
    }
}

int DirectoryWatch::patience() const {
    const std::lock_guard lock(mutex_);
    if (due_) {
        return 0;
    }
    auto next = Clock::time_point::max();
    for (const auto& [file, time] : settling_) {
        next = std::min(next, time);
    }
    if (next == Clock::time_point::max()) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void DirectoryWatch::readEvents() {
    const std::lock_guard lock(mutex_);
    alignas(inotify_event) std::array<char, std::size_t{16} * 1024> buffer;
    for (;;) {
        const auto size = ::read(inotify_->get(), buffer.data(), buffer.size());
        if (size <= 0) {
            break;
        }
        for (const char* next = buffer.data(); next < buffer.data() + size;) {
            const auto& event = *reinterpret_cast<const inotify_event*>(next);
            take(event);
            next += sizeof event + event.len;
        }
    }
    if (moved_) {
        moved_ = false;
        lookAgain();
    }
}

void DirectoryWatch::take(const inotify_event& event) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
        beingWritten_.clear();
        moved_ = true;
        settle({});
        return;
    }
    const auto found = places_.find(event.wd);
    if (found == places_.end()) {
        return;
    }
    const auto& place = found->second;
    const std::string name = event.len == 0 ? "" : event.name;
    if (name.empty() || place.steps.contains(name)) {
        moved_ = moved_ || (event.mask & (placeIsGone | nameIsAnother)) != 0;
        settle(place.path);
    }
    if (const auto file = place.files.find(name); file != place.files.end()) {
        takeFile(file->second, event.mask);
    }
    if (!isPluginFileName(name)) {
        return;
    }
    for (const auto& directory : place.plugins) {
        takeFile(inDirectory(directory, name), event.mask);
    }
}

void DirectoryWatch::takeFile(const std::string& file, std::uint32_t events) {
    if ((events & IN_MOVED_TO) != 0) {
        beingWritten_.erase(file);
        settling_.erase(file);
        due_ = true;
    } else if ((events & IN_MODIFY) != 0 || ((events & IN_CREATE) != 0 && isEmptyFile(file))) {
        beingWritten_.insert(file);
        settling_.erase(file);
    } else if ((events & (IN_CLOSE_WRITE | IN_MOVED_FROM | IN_DELETE)) != 0) {
        beingWritten_.erase(file);
        settle(file);
    } else if (!beingWritten_.contains(file)) {
        settle(file);
    }
}

void DirectoryWatch::settle(const std::string& file) {
    settling_[file] = Clock::now() + settlingTime;
}

bool DirectoryWatch::takeDue() {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    const auto settled = std::erase_if(settling_, [now](const auto& entry) { return entry.second <= now; });
    const bool due = due_ || settled > 0;
    due_ = false;
    return due;
}

}  // namespace sallyport::host::plugins
