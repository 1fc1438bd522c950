// An examination as the plugin sees it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/ext/examination.h>

#include "host/entry/rules.h"
#include "host/plugins/surroundings.h"

namespace sallyport::host::plugins {

/// That of one plugin. What it is made with outlives it.
class OwnExamination final : public Examination {
public:
    using Sink = std::function<void(const Finding&)>;

    OwnExamination(std::string plugin, std::shared_ptr<const Settings> settings,
                   const Surroundings& surroundings, ExaminedServices& services, Sink sink);
    /// Takes back what the plugin provides. Its code is still there.
    ~OwnExamination() override;

    [[nodiscard]] std::uint32_t version() const override { return currentVersion; }
    [[nodiscard]] Scope scope() const override { return surroundings_.scope; }
    [[nodiscard]] bool mayUseNetwork() const override { return surroundings_.network; }
    [[nodiscard]] const Settings& settings() const override { return *settings_; }
    [[nodiscard]] std::string dataDirectory() const override { return surroundings_.dataDirectory; }
    [[nodiscard]] bool hasDaemonsRights() const override { return surroundings_.daemonsRights; }
    [[nodiscard]] std::string user() const override { return surroundings_.user; }
    [[nodiscard]] bool hasStore() const override { return surroundings_.openDatabase != nullptr; }
    [[nodiscard]] bool hasTable(std::string_view table) override;
    [[nodiscard]] Rows query(std::string_view sql, const std::vector<SqlValue>& values) override;
    [[nodiscard]] Given credential(std::string_view name) override;
    [[nodiscard]] Given variable(const std::string& name) override;
    [[nodiscard]] std::optional<Running> running() const override;
    void add(Finding finding) override;

private:
    void provideRaw(std::string_view service, std::shared_ptr<void> provider) override;
    [[nodiscard]] std::shared_ptr<void> findRaw(std::string_view service) const override;

    store::DatabaseFile& database();

    const entry::OneThread thread_{"Plugin::examine"};
    const std::string plugin_;
    const std::shared_ptr<const Settings> settings_;
    const Surroundings& surroundings_;
    ExaminedServices& services_;
    const Sink sink_;
    std::vector<std::string> provided_;
    std::unique_ptr<store::DatabaseFile> database_;  ///< once it has been asked, with a transaction
};

}  // namespace sallyport::host::plugins
