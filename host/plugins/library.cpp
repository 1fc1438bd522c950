#include "host/plugins/library.h"

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sallyport/file_descriptor.h>

#include "host/plugins/declaration.h"

namespace sallyport::host::plugins {

namespace {

void writeAll(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR)
            throw Postponed("the private copy cannot be written: " + std::generic_category().message(errno));
        bytes.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
}

std::string nameOfCopy(const std::string& file, const std::string& workspace) {
    static std::atomic<unsigned> serial{0};
    return workspace + "/" + std::filesystem::path(file).stem().string() + "." + std::to_string(++serial) +
           ".so";
}

}  // namespace

Library::Library(const PluginFile& file, const std::string& workspace)
    : file_(file.path), stamp_(file.stamp), sha256_(file.sha256), copy_(nameOfCopy(file.path, workspace)) {
    const auto declaration = declarationIn(ObjectFile(*file.bytes));
    owner_.name = declaration.name;
    owner_.version = declaration.version;
    try {
        writeCopy(*file.bytes);
        const entry::Entry entry(owner_, "loading");
        library_.load(copy_, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
        code_.emplace(owner_, library_.native());
        descriptor_ = &library_.get<const PluginDescriptor>(pluginSymbol);
    } catch (const Refused&) {
        ::unlink(copy_.c_str());
        throw;
    } catch (const std::exception& error) {
        library_.unload();
        ::unlink(copy_.c_str());
        throw Refused(std::string("it cannot be opened: ") + error.what());
    }
}

Library::~Library() {
    {
        const entry::Entry entry(owner_, "unloading");
        library_.unload();
        code_.reset();
    }
    ::unlink(copy_.c_str());
}

void Library::writeCopy(const std::string& bytes) const {
    ::unlink(copy_.c_str());
    const FileDescriptor target(
        ::open(copy_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IXUSR));
    if (!target.open())
        throw Postponed("the private copy " + copy_ +
                        " cannot be written: " + std::generic_category().message(errno));
    writeAll(target.get(), bytes);
}

}  // namespace sallyport::host::plugins
