#include "host/testing/fake_examination.h"

#include <stdexcept>

#include <sallyport/errors.h>
#include <sallyport/testing/fake_host.h>

namespace sallyport::testing {

std::vector<Finding> FakeHost::examine(const ExaminationOptions& options) {
    return examined(*made(), options);
}

std::vector<Finding> FakeHost::examine(std::unique_ptr<Plugin> plugin, const ExaminationOptions& options) {
    return examined(*plugin, options);
}

std::vector<Finding> FakeHost::examined(Plugin& plugin, const ExaminationOptions& options) {
    FakeExamination examination({.settings = settings(),
                                 .dataDirectory = dataDirectory(),
                                 .store = store(),
                                 .find = [this](std::string_view service) { return offeredRaw(service); }},
                                options);
    plugin.examine(examination);
    if (options.then) {
        options.then(examination);
    }
    return examination.takeFindings();
}

bool FakeExamination::hasTable(std::string_view table) {
    thread_.require("Examination::hasTable");
    return options_.store &&
           !surroundings_.store
                .query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", {std::string(table)})
                .empty();
}

Rows FakeExamination::query(std::string_view sql, const std::vector<SqlValue>& values) {
    thread_.require("Examination::query");
    if (!options_.store) {
        throw StoreError("there is no database to read");
    }
    return surroundings_.store.query(sql, values);
}

Examination::Given FakeExamination::credential(std::string_view name) {
    thread_.require("Examination::credential");
    return given(options_.credentials, std::string(name));
}

std::optional<Examination::Running> FakeExamination::running() const {
    thread_.require("Examination::running");
    return options_.running;
}

void FakeExamination::add(Finding finding) {
    thread_.require("Examination::add");
    findings_.push_back(std::move(finding));
}

Examination::Given FakeExamination::variable(const std::string& name) {
    thread_.require("Examination::variable");
    return given(options_.variables, name);
}

Examination::Given FakeExamination::given(const Values& values, const std::string& name) const {
    using Presence = Given::Presence;
    const auto found = values.find(name);
    if (found != values.end()) {
        return {Presence::present, SecretText::copyOf(found->second)};
    }
    return {options_.unseen.contains(name) ? Presence::unseen : Presence::absent, std::nullopt};
}

void FakeExamination::provideRaw(std::string_view service, std::shared_ptr<void> provider) {
    thread_.require("Examination::provide");
    if (findRaw(service)) {
        throw std::logic_error("another plugin provides " + std::string(service));
    }
    provided_[std::string(service)] = std::move(provider);
}

std::shared_ptr<void> FakeExamination::findRaw(std::string_view service) const {
    thread_.require("Examination::find");
    const auto found = provided_.find(service);
    return found == provided_.end() ? surroundings_.find(service) : found->second;
}

}  // namespace sallyport::testing
