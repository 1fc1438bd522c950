#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

#include <sys/statvfs.h>

#include "host/doctor/bytes.h"
#include "host/doctor/checks.h"

namespace sallyport::host::doctor {

namespace {

constexpr const char* check = "disk";
constexpr std::uintmax_t mib = std::uintmax_t{1} << 20U;

/// Below this the next burst of events may be refused.
constexpr std::uintmax_t tooLittle = 64 * mib;
constexpr std::uintmax_t littleAtLeast = 512 * mib;

std::uintmax_t sizeOf(const std::string& file) {
    std::error_code none;
    const std::uintmax_t size = std::filesystem::file_size(file, none);
    return none ? 0 : size;
}

void checkLimit(const Subject& subject, std::uintmax_t size, Report& report) {
    const std::uintmax_t most = subject.options.database.maxBytes;
    if (most > 0 && size > most / 10 * 9) {
        report.warn(check, "the database has " + bytes(size) + " of the " + bytes(most) +
                               " that store.max_size allows, and beyond it writes are refused: raise it");
    }
}

}  // namespace

void checkDisk(const Subject& subject, Report& report) {
    const std::string& directory = subject.options.dataDirectory;
    struct statvfs status {};
    if (::statvfs(directory.c_str(), &status) != 0) {
        return;  // there is none yet
    }
    const std::uintmax_t free = std::uintmax_t{status.f_bavail} * status.f_frsize;
    const std::uintmax_t size = sizeOf(subject.options.database.file);
    const std::string left = bytes(free) + " are free for " + directory;
    // A backup beside it, a restore and a new version's changes of the tables take as much again.
    if (free < tooLittle) {
        report.fail(check, "only " + left + ": make room before writes are refused");
    } else if (status.f_files > 0 && status.f_favail == 0) {
        report.fail(check, "the file system of " + directory + " takes no more files: delete some");
    } else if (free < std::max(littleAtLeast, size)) {
        report.warn(check, "only " + left + ", where the database has " + bytes(size) + ": make room");
    } else {
        report.ok(check, left);
    }
    checkLimit(subject, size, report);
}

}  // namespace sallyport::host::doctor
