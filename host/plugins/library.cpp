#include "host/plugins/library.h"

#include "host/plugins/declaration.h"

namespace sallyport::host::plugins {

Library::Library(const PluginFile& file, const std::optional<std::string>& workspace)
    : file_(file.path), stamp_(file.stamp), sha256_(file.sha256) {
    const auto declaration = declarationIn(ObjectFile(*file.bytes));
    owner_.name = declaration.name;
    owner_.version = declaration.version;
    copy_.emplace(workspace ? PrivateCopy::inDirectory(*file.bytes, file_, *workspace)
                            : PrivateCopy::inMemory(*file.bytes, file_));
    try {
        const entry::Entry entry(owner_, "loading");
        library_.load(copy_->path(), boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
        code_.emplace(owner_, library_.native());
        descriptor_ = &library_.get<const PluginDescriptor>(pluginSymbol);
    } catch (const std::exception& error) {
        library_.unload();
        throw Refused(std::string("it cannot be opened: ") + error.what());
    }
}

Library::~Library() {
    const entry::Entry entry(owner_, "unloading");
    library_.unload();
    code_.reset();
}

}  // namespace sallyport::host::plugins
