#include "host/plugins/reloading.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "host/plugins/declaration.h"
#include "host/plugins/library.h"

namespace sallyport::host::plugins {

namespace {

namespace fs = std::filesystem;

constexpr const char* goesOn = "; the version that was running goes on";

/// Two routes with the same key answer the same requests.
std::string routeKey(const http::Route& route) {
    std::string key = route.method + " " + http::mountedPath(route);
    bool inside = false;
    std::erase_if(key, [&inside](char c) {
        if (c == '}') {
            inside = false;
        }
        const bool drop = inside && c != '.';
        if (c == '{') {
            inside = true;
        }
        return drop;
    });
    return key;
}

}  // namespace

ReloadReport PluginSet::Reloading::run() {
    set_.buryRetired();
    if (strict_) {
        prepareWorkspace();
    }
    if (strict_ || attempt(sources_.workspace, [this] { prepareWorkspace(); })) {
        agree();
    }
    return finish();
}

ReloadReport PluginSet::Reloading::retry() {
    set_.buryRetired();
    again_ = true;
    for (const auto& info : set_.refused_) {
        if (!info.postponed) {
            refused_.push_back(info);
        } else if (!runningFrom(info.file)) {
            static_cast<void>(attempt(info.file, [&] { consider(info.file); }));
        }
    }
    return finish();
}

ReloadReport PluginSet::Reloading::finish() {
    {
        const std::lock_guard lock(set_.mutex_);
        set_.refused_ = std::move(refused_);
    }
    set_.publish();
    return std::move(report_);
}

/// What is run are the copies that are there, so nobody else may write there.
void PluginSet::Reloading::prepareWorkspace() const {
    fs::create_directories(sources_.workspace);
    fs::permissions(sources_.workspace, fs::perms::owner_all);
    try {
        trust_.requireDirectory(sources_.workspace);
    } catch (const trust::Untrusted& problem) {
        throw Refused(std::string("plugins cannot be copied to data.dir: ") + problem.what());
    }
}

void PluginSet::Reloading::agree() {
    for (const auto& directory : sources_.directories) {
        static_cast<void>(attempt(directory, [&] { find(directory); }));
    }
    // What is gone goes first: a route or a name that moved to another file is free by then.
    unloadMissing();
    for (const auto& file : files_) {
        static_cast<void>(attempt(file, [&] { consider(file); }));
    }
}

/// One that cannot be read or trusted just now says nothing about what is in it: what runs from there goes
/// on. One that is not there has no plugins.
void PluginSet::Reloading::find(const std::string& directory) {
    try {
        const auto found = pluginFilesIn(directory, trust_);
        files_.insert(files_.end(), found.begin(), found.end());
    } catch (const Refused&) {
        std::error_code error;
        if (fs::exists(directory, error) || error) {
            unknown_.push_back((fs::path(directory) / "").parent_path());
        }
        throw;
    }
}

/// @return whether it was not refused.
bool PluginSet::Reloading::attempt(const std::string& file, const std::function<void()>& function) {
    try {
        function();
        return true;
    } catch (const Postponed& postponed) {
        refuse(file, postponed.what());
        refused_.back().postponed = true;
    } catch (const Refused& refused) {
        refuse(file, refused.what());
    } catch (const config::BadValue& bad) {
        if (strict_) {
            throw;
        }
        refuse(file, bad.what());
    } catch (const fs::filesystem_error& error) {
        refuse(file, error.code().message());
    } catch (const std::exception& error) {
        refuse(file, error.what());
    }
    return false;
}

void PluginSet::Reloading::refuse(const std::string& file, const std::string& reason) {
    if (!again_ || !isKnown(file, reason)) {
        set_.log_.error("a plugin was refused", {{"file", file}, {"reason", reason}});
    }
    report_.refused.push_back({file, reason});
    PluginInfo info;
    info.name = fs::path(file).stem().string();
    info.file = file;
    info.error = reason;
    refused_.push_back(std::move(info));
}

bool PluginSet::Reloading::isKnown(const std::string& file, const std::string& reason) const {
    return std::any_of(set_.refused_.begin(), set_.refused_.end(),
                       [&](const auto& info) { return info.file == file && info.error == reason; });
}

PluginSet::Reloading::Running PluginSet::Reloading::runningFrom(const std::string& file) const {
    for (const auto& running : set_.running_) {
        if (running->library().file() == file) {
            return running;
        }
    }
    return nullptr;
}

PluginSet::Reloading::Running PluginSet::Reloading::runningNamed(const std::string& name) const {
    for (const auto& running : set_.running_) {
        if (running->name() == name) {
            return running;
        }
    }
    return nullptr;
}

Context::Taken PluginSet::Reloading::taken() const {
    return [this](const http::Route& wanted) -> std::string {
        const auto key = routeKey(wanted);
        for (const auto& route : set_.allRoutes()) {
            if (routeKey(*route) == key) {
                return route->gate->plugin();
            }
        }
        return {};
    };
}

bool PluginSet::Reloading::isMissing(const std::string& file) const {
    const bool there = std::find(files_.begin(), files_.end(), file) != files_.end();
    const auto directory = fs::path(file).parent_path();
    return !there && std::find(unknown_.begin(), unknown_.end(), directory) == unknown_.end();
}

bool PluginSet::Reloading::isListed(const std::string& sha256) const {
    return !sources_.trusted || sources_.trusted->has(sha256);
}

PluginFile PluginSet::Reloading::readListed(const std::string& file) const {
    if (sources_.beingWritten && sources_.beingWritten(file)) {
        throw Refused("it is still being written; it is looked at again when it is complete");
    }
    auto read = readPluginFile(file, trust_);
    if (!isListed(read.sha256)) {
        throw Refused(notListed(*sources_.trusted, read.sha256));
    }
    return read;
}

void PluginSet::Reloading::unloadMissing() {
    std::vector<Running> missing;
    for (const auto& running : set_.running_) {
        if (isMissing(running->library().file()) || sources_.isDisabled(running->name())) {
            missing.push_back(running);
        }
    }
    for (const auto& running : missing) {
        unload(running);
    }
}

void PluginSet::Reloading::consider(const std::string& file) {
    const auto running = runningFrom(file);
    if (!running) {
        load(file);
    } else if (stampOf(file) != running->library().stamp() ||
               configuration_.below(running->name()) != running->values()) {
        replace(running, file);
    } else if (isListed(running->library().sha256())) {
        report_.unchanged.push_back(running->name());
    } else {
        unloadUnlisted(running);
    }
}

void PluginSet::Reloading::load(const std::string& file) {
    const auto read = readListed(file);
    const auto name = declarationIn(ObjectFile(*read.bytes)).name;
    if (sources_.isDisabled(name)) {
        return;
    }
    if (const auto other = runningNamed(name)) {
        throw Refused("a plugin named " + name + " is running already, from " + other->library().file());
    }
    const auto fresh =
        std::make_shared<RunningPlugin>(std::make_shared<Library>(read, sources_.workspace), configuration_);
    start(fresh);
    {
        const std::lock_guard lock(set_.mutex_);
        set_.running_.push_back(fresh);
    }
    set_.publish();
    report_.loaded.push_back(name);
    set_.log_.info("a plugin was loaded", {{"plugin", name}, {"file", file}});
}

/// @throws Refused when it is on its way out again.
void PluginSet::Reloading::start(const Running& fresh) {
    try {
        fresh->start(set_.facilities_, taken());
    } catch (const Refused&) {
        fresh->gate()->hold();
        retire(fresh);
        throw;
    }
}

/// Its sum was taken from the list while it ran.
void PluginSet::Reloading::unloadUnlisted(const Running& running) {
    const auto problem = notListed(*sources_.trusted, running->library().sha256());
    unload(running);
    throw Refused(problem);
}

void PluginSet::Reloading::unload(const Running& running) {
    const auto name = running->name();
    const auto gate = running->gate();
    gate->hold();
    take(running);
    set_.publish();
    quiesce(*gate);
    retire(running);
    gate->release();  // whoever waited finds that the route is gone
    report_.unloaded.push_back(name);
    set_.log_.info("a plugin was unloaded", {{"plugin", name}});
}

/// All that can be found wrong with the successor while the running one is at work.
PluginSet::Reloading::Running PluginSet::Reloading::successor(const Running& running,
                                                              const std::string& file) {
    try {
        auto library = std::make_shared<Library>(readListed(file), sources_.workspace);
        const std::string name = library->descriptor().name;
        if (name != running->name()) {
            throw Refused("it is now named " + name + " instead of " + running->name() +
                          "; remove it, reload, and put it back");
        }
        return std::make_shared<RunningPlugin>(std::move(library), configuration_);
    } catch (const std::runtime_error& problem) {
        if (!isListed(running->library().sha256())) {
            unload(running);
            throw Refused(std::string(problem.what()) +
                          "; the version that was running is not listed either");
        }
        throw Refused(problem.what() + std::string(goesOn));
    }
}

void PluginSet::Reloading::replace(const Running& running, const std::string& file) {
    auto fresh = successor(running, file);
    const auto name = running->name();
    Running before = running->twin();
    const auto gate = running->gate();
    gate->hold();
    quiesce(*gate);
    take(running);
    retire(running);

    std::string problem;
    bool mayPass = false;
    try {
        start(fresh);
    } catch (const std::exception& error) {
        problem = error.what();
        mayPass = dynamic_cast<const Postponed*>(&error) != nullptr;
        fresh = startAgain(std::move(before), problem);
    }
    if (fresh) {
        const std::lock_guard lock(set_.mutex_);
        set_.running_.push_back(fresh);
    }
    set_.publish();
    gate->release();
    const bool gone = !runningNamed(name);
    if (gone) {
        report_.unloaded.push_back(name);
    }
    if (gone && mayPass) {
        throw Postponed(problem);
    }
    if (!problem.empty()) {
        throw Refused(problem);
    }
    report_.reloaded.push_back(name);
    set_.log_.info("a plugin was replaced", {{"plugin", name}, {"file", file}});
}

/// The version before, from its private copy and with the settings that it had, after its successor failed.
/// @param problem why; what became of this is added.
PluginSet::Reloading::Running PluginSet::Reloading::startAgain(Running before, std::string& problem) {
    try {
        if (const auto& sum = before->library().sha256(); !isListed(sum)) {
            throw Refused(notListed(*sources_.trusted, sum));
        }
        start(before);
        problem += goesOn;
        return before;
    } catch (const std::exception& error) {
        problem += std::string("; nor could the version that was running be started again: ") + error.what();
        return nullptr;
    }
}

/// Waits for the calls in progress; what is only parked or subscribed is ended.
void PluginSet::Reloading::quiesce(http::Gate& gate) {
    const auto hurry = set_.facilities_.server.pool().hurry();
    set_.facilities_.server.endWaits(gate.shared_from_this());
    if (!gate.waitIdle(sources_.grace)) {
        set_.log_.warn("a plugin's calls did not end in time and go on beside its successor",
                       {{"plugin", gate.plugin()}});
    }
}

/// Has a plugin, whose gate is held, stopped and destroyed: before this returns if nothing of it is running,
/// else once that is so.
void PluginSet::Reloading::retire(Running running) {
    const auto gate = running->gate();
    const auto name = running->name();
    running->withdraw();
    auto& retirement = set_.retire(std::move(running));
    if (gate->waitIdle({}) && gate->quiet() && !retirement.awaitEnd(sources_.grace)) {
        set_.log_.warn("a plugin that was stopped has not ended yet", {{"plugin", name}});
    }
}

/// Takes it off the list.
void PluginSet::Reloading::take(const Running& running) {
    const std::lock_guard lock(set_.mutex_);
    std::erase(set_.running_, running);
}

}  // namespace sallyport::host::plugins
