// An examination as a test wants it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/store.h>
#include <sallyport/testing/examined.h>

#include "host/entry/rules.h"

namespace sallyport::testing {

/// Keeps what is found. What it is made with outlives it.
class FakeExamination final : public Examination {
public:
    /// What a host gives to all its plugins.
    struct Surroundings {
        const Settings& settings;
        std::string dataDirectory;
        Store& store;
        /// Null where nobody offers it.
        std::function<std::shared_ptr<void>(std::string_view service)> find;
    };

    FakeExamination(Surroundings surroundings, const ExaminationOptions& options)
        : surroundings_(std::move(surroundings)), options_(options) {}

    [[nodiscard]] std::uint32_t version() const override { return currentVersion; }
    [[nodiscard]] Scope scope() const override { return options_.scope; }
    [[nodiscard]] bool mayUseNetwork() const override { return options_.network; }
    [[nodiscard]] const Settings& settings() const override { return surroundings_.settings; }
    [[nodiscard]] std::string dataDirectory() const override { return surroundings_.dataDirectory; }
    [[nodiscard]] bool hasDaemonsRights() const override { return options_.daemonsRights; }
    [[nodiscard]] std::string user() const override { return "tester"; }
    [[nodiscard]] bool hasStore() const override { return options_.store; }
    [[nodiscard]] bool hasTable(std::string_view table) override;
    [[nodiscard]] Rows query(std::string_view sql, const std::vector<SqlValue>& values) override;
    [[nodiscard]] Given credential(std::string_view name) override;
    [[nodiscard]] Given variable(const std::string& name) override;
    [[nodiscard]] std::optional<Running> running() const override;
    void add(Finding finding) override;

    [[nodiscard]] std::vector<Finding> takeFindings() { return std::move(findings_); }

private:
    using Values = std::map<std::string, std::string>;

    [[nodiscard]] Given given(const Values& values, const std::string& name) const;
    void provideRaw(std::string_view service, std::shared_ptr<void> provider) override;
    [[nodiscard]] std::shared_ptr<void> findRaw(std::string_view service) const override;

    const host::entry::OneThread thread_{"Plugin::examine"};
    const Surroundings surroundings_;
    const ExaminationOptions& options_;
    std::map<std::string, std::shared_ptr<void>, std::less<>> provided_;
    std::vector<Finding> findings_;
};

}  // namespace sallyport::testing
