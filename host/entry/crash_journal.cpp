#include "host/entry/crash_journal.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sallyport/errors.h>
#include <sallyport/json.h>
#include <sallyport/json_writer.h>
#include <sallyport/timestamp.h>

namespace sallyport::host::entry {

namespace {

namespace fs = std::filesystem;

constexpr const char* fileName = "crashes.jsonl";
/// Set aside beyond the file's end; a line of the crash handler is shorter.
constexpr off_t room = 4096;
/// A file that is longer is shortened at the next start.
constexpr std::size_t longest = std::size_t{256} * 1024;

std::string textOf(const json::Object& object, std::string_view name) {
    const auto* const value = object.find(name);
    return value == nullptr ? std::string() : value->string().value_or(std::string());
}

/// What one line says.
struct Line {
    std::string text;
    std::string event;
    Crash crash;
};

std::optional<Line> readLine(const std::string& text) {
    try {
        const auto object = json::Value::parse(text).object();
        Line line{text, textOf(object, "event"), {}};
        line.crash = {textOf(object, "time"),
                      textOf(object, "plugin"),
                      textOf(object, "version"),
                      textOf(object, "callback"),
                      textOf(object, "route"),
                      textOf(object, "request"),
                      JobId::parse(textOf(object, "job")),
                      textOf(object, "signal"),
                      textOf(object, "error")};
        return line;
    } catch (const json::ParseError&) {
        return std::nullopt;  // torn by a power cut
    }
}

std::vector<Line> readLines(const std::string& text) {
    std::vector<Line> lines;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size());
        if (auto line = readLine(text.substr(begin, end - begin))) {
            lines.push_back(*std::move(line));
        }
        begin = end + 1;
    }
    return lines;
}

/// What is said about a plugin or a job by its name.
std::string lineOf(const char* event, const char* of, const std::string& name) {
    std::string line;
    json::Writer(line)
        .beginObject()
        .member("event", event)
        .member("time", rfc3339(now()))
        .member(of, name)
        .endObject();
    return line + '\n';
}

std::string readFile(const fs::path& path) {
    std::ifstream input(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(input), {}};
}

/// The newest lines that still matter, within half of the longest file.
std::string shortened(const std::string& text) {
    const auto history = CrashHistory::parse(text);
    std::string kept;
    auto lines = readLines(text);
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
        const auto& job = line->crash.job;
        const bool quarantine = job && std::find(history.quarantined.begin(), history.quarantined.end(),
                                                 *job) != history.quarantined.end();
        const bool open =
            std::any_of(history.crashes.begin(), history.crashes.end(), [&](const Crash& crash) {
                return crash.time == line->crash.time && crash.plugin == line->crash.plugin;
            });
        if ((quarantine || open) && kept.size() + line->text.size() < longest / 2) {
            kept.insert(0, line->text + '\n');
        }
    }
    return kept;
}

}  // namespace

CrashHistory CrashHistory::parse(const std::string& text) {
    CrashHistory history;
    std::map<JobId, std::size_t> ofJob;
    for (auto& line : readLines(text)) {
        const auto& job = line.crash.job;
        if (line.event == "crash") {
            if (job) {
                ++ofJob[*job];
            }
            history.crashes.push_back(std::move(line.crash));
        } else if (line.event == "acknowledged") {
            std::erase_if(history.crashes,
                          [&](const Crash& crash) { return crash.plugin == line.crash.plugin; });
        } else if (line.event == "released" && job) {
            ofJob.erase(*job);
        }
    }
    for (const auto& [job, count] : ofJob) {
        if (count >= CrashJournal::mostOfAJob) {
            history.quarantined.push_back(job);
        }
    }
    return history;
}

CrashHistory CrashHistory::in(const fs::path& directory) {
    return parse(readFile(directory / fileName));
}

CrashJournal::CrashJournal(const fs::path& directory)
    : path_(directory / fileName),
      file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)),
      text_(readFile(path_)) {
    if (!file_.open()) {
        return;
    }
    if (text_.size() > longest) {
        // In place: the room that the file has is its own already.
        text_ = shortened(text_);
        if (::ftruncate(file_.get(), 0) == 0) {
            static_cast<void>(!::write(file_.get(), text_.data(), text_.size()));
        }
    }
    // Best effort: not every file system can.
    ::fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(text_.size()), room);
}

CrashHistory CrashJournal::history() const {
    const std::lock_guard lock(mutex_);
    return CrashHistory::parse(text_);
}

std::size_t CrashJournal::acknowledge(const std::string& plugin) {
    const std::lock_guard lock(mutex_);
    const auto crashes = CrashHistory::parse(text_).crashes;
    const auto count = static_cast<std::size_t>(std::count_if(
        crashes.begin(), crashes.end(), [&](const Crash& crash) { return crash.plugin == plugin; }));
    if (count > 0) {
        append(lineOf("acknowledged", "plugin", plugin));
    }
    return count;
}

bool CrashJournal::release(const JobId& job) {
    const std::lock_guard lock(mutex_);
    const auto jobs = CrashHistory::parse(text_).quarantined;
    if (std::find(jobs.begin(), jobs.end(), job) == jobs.end()) {
        return false;
    }
    append(lineOf("released", "job", job.str()));
    return true;
}

void CrashJournal::append(const std::string& line) {
    if (::write(file_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
        ::fdatasync(file_.get()) != 0) {
        throw StoreError("the file for crashes, " + path_.string() +
                         ", cannot be written: " + std::generic_category().message(errno));
    }
    text_ += line;
}

}  // namespace sallyport::host::entry
