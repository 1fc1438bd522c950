#include "tests/support/temporary_directory.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <sallyport/file_descriptor.h>

#include "tests/support/deadline.h"

namespace sallyport::tests {

TemporaryDirectory::TemporaryDirectory() {
    std::string pattern = "/tmp/sallyport-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
        throw std::system_error(errno, std::generic_category(), "mkdtemp");
    }
    path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string readFile(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void writeFile(const std::filesystem::path& file, std::string_view content) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << content;
    if (!out.flush()) {
        throw std::runtime_error("cannot write " + file.string());
    }
}

void awaitText(const std::filesystem::path& file, std::string_view text, std::size_t from) {
    const FileDescriptor changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (::inotify_add_watch(changes.get(), file.c_str(), IN_MODIFY) < 0) {
        throw std::system_error(errno, std::generic_category(), "inotify_add_watch");
    }
    const std::string what = "\"" + std::string(text) + "\" in " + file.filename().string();
    const Deadline deadline;
    while (readFile(file).find(text, from) == std::string::npos) {
        try {
            deadline.await(changes.get(), POLLIN, what.c_str());
        } catch (const TimedOut& error) {
            throw TimedOut(error.what() + std::string(":\n") + readFile(file));
        }
        std::array<char, 4096> events{};
        static_cast<void>(::read(changes.get(), events.data(), events.size()));
    }
}

}  // namespace sallyport::tests
