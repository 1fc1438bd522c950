// The database as the host for tests gives it to a plugin.
#pragma once

#include <exception>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/store.h>

#include "host/entry/rules.h"
#include "host/entry/waiting.h"

namespace sallyport::testing {

/// The database as the daemon's is for a plugin: it knows whether that is starting, and on whose thread it
/// calls back.
class PluginStore final : public Store {
public:
    explicit PluginStore(Store& store) : store_(store) {}

    /// Another plugin is to start.
    void begin(std::shared_ptr<const host::entry::StartPhase> starting) { starting_ = std::move(starting); }

    void migrate(std::string_view component, const std::vector<Migration>& steps) override {
        starting_->require("Store::migrate");
        store_.migrate(component, steps);
    }
    void submit(Work work, Done done) override {
        store_.submit(std::move(work), [done = std::move(done)](std::exception_ptr error) {
            const host::entry::Waiting here(host::entry::Waiting::Rule::store);
            done(std::move(error));
        });
    }
    void write(Work work) override { store_.write(std::move(work)); }
    [[nodiscard]] Rows query(std::string_view sql, const std::vector<SqlValue>& values) override {
        return store_.query(sql, values);
    }

private:
    Store& store_;
    std::shared_ptr<const host::entry::StartPhase> starting_;
};

}  // namespace sallyport::testing
