#include "host/plugins/own_examination.h"

#include <stdexcept>
#include <utility>

#include <sallyport/errors.h>

namespace sallyport::host::plugins {

OwnExamination::OwnExamination(std::string plugin, std::shared_ptr<const Settings> settings,
                               const Surroundings& surroundings, ExaminedServices& services, Sink sink)
    : plugin_(std::move(plugin)),
      settings_(std::move(settings)),
      surroundings_(surroundings),
      services_(services),
      sink_(std::move(sink)) {}

OwnExamination::~OwnExamination() {
    for (const auto& service : provided_) {
        services_.erase(service);
    }
}

store::DatabaseFile& OwnExamination::database() {
    if (!database_) {
        if (!hasStore()) {
            throw StoreError("there is no database to read");
        }
        auto opened = surroundings_.openDatabase();
        opened->run("PRAGMA query_only = ON");
        opened->run("BEGIN");  // all that is read is of one moment
        database_ = std::move(opened);
    }
    return *database_;
}

bool OwnExamination::hasTable(std::string_view table) {
    thread_.require("Examination::hasTable");
    return hasStore() && store::hasTable(database(), table);
}

Rows OwnExamination::query(std::string_view sql, const std::vector<SqlValue>& values) {
    thread_.require("Examination::query");
    return database().run(sql, values);
}

Examination::Given OwnExamination::credential(std::string_view name) {
    thread_.require("Examination::credential");
    return surroundings_.credential(name);
}

Examination::Given OwnExamination::variable(const std::string& name) {
    thread_.require("Examination::variable");
    return surroundings_.variable(name);
}

std::optional<Examination::Running> OwnExamination::running() const {
    thread_.require("Examination::running");
    return surroundings_.running(plugin_);
}

void OwnExamination::add(Finding finding) {
    thread_.require("Examination::add");
    sink_(finding);
}

void OwnExamination::provideRaw(std::string_view service, std::shared_ptr<void> provider) {
    thread_.require("Examination::provide");
    if (!services_.try_emplace(std::string(service), std::move(provider)).second) {
        throw std::logic_error("the service " + std::string(service) + " is provided already");
    }
    provided_.emplace_back(service);
}

std::shared_ptr<void> OwnExamination::findRaw(std::string_view service) const {
    thread_.require("Examination::find");
    const auto found = services_.find(service);
    return found == services_.end() ? nullptr : found->second;
}

}  // namespace sallyport::host::plugins
