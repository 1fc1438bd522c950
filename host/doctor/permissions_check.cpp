#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sallyport/file_descriptor.h>
#include <sallyport/new_file.h>

#include "host/doctor/checks.h"

namespace sallyport::host::doctor {

namespace {

constexpr const char* check = "permissions";

std::string octal(mode_t mode) {
    std::string text(8, '\0');
    text.resize(static_cast<std::size_t>(
        std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode & 07777U))));
    return text;
}

/// Looks at one file after the other, and remembers whether all was well.
class Files {
public:
    Files(const Subject& subject, Report& report) : subject_(subject), report_(report) {}

    [[nodiscard]] bool allWell() const noexcept { return allWell_; }

    /// The configuration: the daemon reads it, and nobody but root and the daemon's user may change it.
    void readByDaemon(const std::string& file) {
        const auto status = look(file);
        if (!status) {
            return;
        }
        try {
            const FileDescriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
            if (opened.open()) {
                subject_.trust.requireFile(opened.get(), file);
            }
        } catch (const trust::Untrusted& problem) {
            fail(problem.what());
        }
        if (subject_.asDaemon() && ::faccessat(AT_FDCWD, file.c_str(), R_OK, AT_EACCESS) != 0) {
            fail(file + " cannot be read by " + daemon() + ": run chmod a+r " + file);
        }
    }

    void dataDirectory() {
        const std::string& directory = subject_.options.dataDirectory;
        const auto status = look(directory);
        if (!status) {
            return;
        }
        if (!S_ISDIR(status->st_mode)) {
            fail(directory + " is no directory: move it away, or let data.dir be another");
        } else if ((status->st_mode & 077U) != 0) {
            fail(directory + " has mode " + octal(status->st_mode) +
                 ", so that others can enter it: run chmod 700 " + directory);
        } else if (subject_.asDaemon() &&
                   ::faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
            fail(directory + " cannot be written by " + daemon() + " (" + reason() +
                 "): give it that right, or let data.dir be another");
        }
    }

    /// What the daemon made for itself alone; it need not be there.
    void daemonsOwn(const std::string& file, const char* remark) {
        const auto status = look(file);
        if (!status) {
            return;
        }
        if (!isDaemons(*status)) {
            fail(file + " does not belong to " + daemon() +
                 ": run chown --reference=" + subject_.options.dataDirectory + " " + file);
        }
        if ((status->st_mode & 077U) != 0) {
            fail(file + " has mode " + octal(status->st_mode) +
                 ", so that others can read it: run chmod 600 " + file + remark);
        }
    }

    /// The log's file, or where it is to be made.
    void writtenByDaemon(const std::string& file) {
        const bool there = ::access(file.c_str(), F_OK) == 0;
        const std::string place = there ? file : directoryOf(file);
        if (subject_.asDaemon() && ::faccessat(AT_FDCWD, place.c_str(), W_OK, AT_EACCESS) != 0) {
            fail(place + " cannot be written by " + daemon() + " (" + reason() +
                 "), and the log goes there: give it that right, or let log.file be another");
        }
    }

private:
    [[nodiscard]] std::string daemon() const {
        return subject_.owner ? subject_.owner->name : subject_.self.name;
    }

    [[nodiscard]] bool isDaemons(const struct stat& status) const {
        return status.st_uid == (subject_.owner ? subject_.owner->uid : subject_.self.uid);
    }

    /// Nothing if it is not there, or cannot be seen, which is said.
    std::optional<struct stat> look(const std::string& file) {
        struct stat status {};
        if (::stat(file.c_str(), &status) == 0) {
            return status;
        }
        if (errno != ENOENT) {
            allWell_ = false;
            report_.warn(check,
                         file + " cannot be looked at as " + subject_.self.name + " (" + reason() + ")");
        }
        return std::nullopt;
    }

    void fail(const std::string& sentence) {
        allWell_ = false;
        report_.fail(check, sentence);
    }

    static std::string reason() { return std::generic_category().message(errno); }

    const Subject& subject_;
    Report& report_;
    bool allWell_ = true;
};

}  // namespace

void checkPermissions(const Subject& subject, Report& report) {
    Files files(subject, report);
    if (!subject.configuration.file().empty()) {
        files.readByDaemon(subject.configuration.file());
    }
    files.dataDirectory();
    if (std::error_code unseen; std::filesystem::is_directory(subject.options.dataDirectory, unseen)) {
        for (const char* name : {"sallyport.db", "sallyport.db-wal", "sallyport.db-shm"}) {
            files.daemonsOwn(subject.dataFile(name), "");
        }
        files.daemonsOwn(subject.dataFile("operator.token"),
                         ", or delete it if somebody did: the next start writes a new token");
    }
    if (!subject.options.log.file.empty()) {
        files.writtenByDaemon(subject.options.log.file);
    }
    if (files.allWell()) {
        report.ok(check,
                  "configuration, database and token belong to whom they should, and are closed to others");
    }
}

}  // namespace sallyport::host::doctor
