#include "host/plugins/running_plugin.h"

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <sallyport/errors.h>

#include "host/entry/waiting.h"
#include "host/plugins/refused.h"

namespace sallyport::host::plugins {

namespace {

using namespace std::chrono_literals;

/// After so long an answer is missed.
constexpr auto patience = 5s;

/// Whether that passes when there is room, or the disk is well again.
bool isOfDisk(const std::error_code& code) {
    return code == std::errc::no_space_on_device || code == std::errc::file_too_large ||
           code == std::errc::io_error || code == std::errc::read_only_file_system ||
           code == std::error_code(EDQUOT, std::generic_category());
}

/// @throws config::BadValue, Refused for a default that cannot be.
std::shared_ptr<const Settings> settingsFor(const Library& library,
                                            const config::Configuration& configuration) {
    const auto& descriptor = library.descriptor();
    try {
        return configuration.settings(descriptor.name, settingsOf(descriptor));
    } catch (const std::logic_error& error) {
        throw Refused(error.what());
    }
}

}  // namespace

RunningPlugin::RunningPlugin(std::shared_ptr<Library> library, const config::Configuration& configuration)
    : library_(std::move(library)),
      settings_(settingsFor(*library_, configuration)),
      values_(configuration.below(library_->descriptor().name)) {}

RunningPlugin::RunningPlugin(std::shared_ptr<Library> library, std::shared_ptr<const Settings> settings,
                             std::map<std::string, std::string> values)
    : library_(std::move(library)), settings_(std::move(settings)), values_(std::move(values)) {}

std::unique_ptr<RunningPlugin> RunningPlugin::twin() const {
    return std::unique_ptr<RunningPlugin>(new RunningPlugin(library_, settings_, values_));
}

void RunningPlugin::start(const Facilities& facilities, Context::Taken taken) {
    const auto& descriptor = library_->descriptor();
    gate_ = std::make_shared<http::Gate>(descriptor.name, descriptor.version, &facilities.pluginLog);
    context_ =
        std::make_unique<Context>(facilities, descriptor.name, library_, gate_, settings_, std::move(taken));
    std::string problem;
    bool mayPass = false;
    try {
        makeAndStart();
        return;
    } catch (const StoreError& error) {
        problem = error.detail();
        mayPass = true;
    } catch (const std::system_error& error) {
        problem = error.what();
        mayPass = isOfDisk(error.code());
    } catch (const std::exception& error) {
        problem = error.what();
    } catch (...) {
        problem = "it threw something that is no std::exception";
    }
    if (mayPass) {
        throw Postponed("it did not start: " + problem);
    }
    throw Refused("it did not start: " + problem);
}

void RunningPlugin::makeAndStart() {
    {
        const entry::Entry entry(gate_->owner(), "constructor");
        plugin_ = library_->descriptor().create();
    }
    if (plugin_ == nullptr) {
        throw std::runtime_error("its factory made nothing");
    }
    {
        const entry::Entry entry(gate_->owner(), "start");
        plugin_->start(*context_);
    }
    context_->started();
    routes_ = context_->takeRoutes();
    assets_ = context_->assets();
    started_ = true;
}

void RunningPlugin::stop() {
    if (started_) {
        entry::guarded(gate_->owner(), "stop", nullptr, [this] { plugin_->stop(); });
    }
    context_->release();
    if (auto* const plugin = std::exchange(plugin_, nullptr)) {
        entry::guarded(gate_->owner(), "destructor", nullptr,
                       [&] { library_->descriptor().destroy(plugin); });
    }
    context_.reset();
}

std::optional<std::string> RunningPlugin::trouble() {
    const auto ticket = gate_->enter();
    {
        const std::lock_guard lock(mutex_);
        if (askedAt_ && Clock::now() - *askedAt_ >= patience) {
            return "it does not say how it is: its trouble() has not returned";
        }
        if (askedAt_ || !ticket) {
            return lastTrouble_;
        }
        askedAt_ = Clock::now();
    }
    std::optional<std::string> answer;
    entry::guarded(gate_->owner(), "trouble", nullptr, [&] {
        const entry::WaitingWhereDebugged here(entry::Waiting::Rule::trouble);
        answer = plugin_->trouble();
    });
    const std::lock_guard lock(mutex_);
    askedAt_.reset();
    lastTrouble_ = answer;
    return answer;
}

}  // namespace sallyport::host::plugins
