// The plugins that take part when a job is created.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <sallyport/ext/job_lifecycle.h>
#include <sallyport/log.h>
#include <sallyport/store.h>

#include "host/entry/rules.h"
#include "host/http/gate.h"
#include "host/jobs/registry.h"

namespace sallyport::host::plugins {

/// Who takes care of which members of the body of `POST /api/jobs`, and the only way to create a job. [any
/// thread]
class JobParticipants {
public:
    /// @param absent   plugins that an operator does without: no job waits for a part of theirs.
    /// @param patience how long the creation of a job waits for a plugin that is being replaced.
    /// @throws StoreError
    JobParticipants(jobs::Registry& registry, Store& store, std::vector<std::string> absent = {},
                    std::chrono::milliseconds patience = std::chrono::seconds(5));
    JobParticipants(const JobParticipants&) = delete;
    JobParticipants& operator=(const JobParticipants&) = delete;

    /// Notes who takes part once its plugin has started.
    /// @param owner for `begin` and `remove`.
    /// @param gate  of the plugin.
    /// @throws std::logic_error for a member that another has, or the host; StoreError
    void add(const void* owner, std::shared_ptr<http::Gate> gate, const std::vector<std::string>& members,
             std::shared_ptr<JobParticipant> participant);
    /// The owner's plugin has started.
    void begin(const void* owner) noexcept;
    /// Takes back what the owner has added.
    /// @param replaced whether a successor may come: until the gate, if it is held, is released, whoever
    ///                 creates a job waits for that.
    void remove(const void* owner, bool replaced);

    /// As JobLifecycle::create.
    [[nodiscard]] CreatedJob create(const NewJob& job, const Call& asked);
    /// As JobLifecycle::shown.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> shown(const Job& job) const;

private:
    struct Participation {
        const void* owner;
        std::shared_ptr<http::Gate> gate;
        std::vector<std::string> members;
        std::shared_ptr<JobParticipant> participant;
    };
    struct Entry {
        std::shared_ptr<const Participation> of;
        bool started = false;
    };
    /// One that a job is created with: its plugin is not stopped before this goes.
    struct Present {
        http::Gate::Ticket ticket;
        std::shared_ptr<const Participation> of;
    };
    /// A member of a body.
    struct Member {
        std::string_view value;  ///< as it was sent
        std::string plugin;      ///< takes care of it
    };
    using Members = std::map<std::string, Member, std::less<>>;
    class Draft;
    class Parts;

    /// All participants, or the gate of one that is being replaced.
    [[nodiscard]] std::variant<std::vector<Present>, std::shared_ptr<http::Gate>> present() const;
    [[nodiscard]] std::vector<Present> awaitPresent() const;
    /// Notes the members, where that is new. @throws StoreError
    void remember(const std::string& plugin, const std::vector<std::string>& members);
    [[nodiscard]] std::map<std::string, std::string> known() const;
    void requirePlugins(const Members& members, const NewJob& job, const std::vector<Present>& there) const;
    [[nodiscard]] static std::optional<std::string> shownBy(const Present& each, const Job& job,
                                                            const std::string& member);
    [[nodiscard]] Members membersIn(const json::Object& body) const;

    jobs::Registry& registry_;
    Store& store_;
    const std::vector<std::string> absent_;
    const std::chrono::milliseconds patience_;
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
    std::vector<std::shared_ptr<http::Gate>> leaving_;  ///< of those that were removed while it was held
    std::map<std::string, std::string> known_;  ///< members of all times, and the plugins they were of
};

/// The extension `job_lifecycle`, for one plugin.
class PluginJobLifecycle final : public JobLifecycle {
public:
    /// @param code keeps the plugin's code loaded.
    PluginJobLifecycle(JobParticipants& participants, std::shared_ptr<void> code,
                       std::shared_ptr<http::Gate> gate, std::shared_ptr<const entry::StartPhase> starting);
    ~PluginJobLifecycle() override { end(); }
    PluginJobLifecycle(const PluginJobLifecycle&) = delete;
    PluginJobLifecycle& operator=(const PluginJobLifecycle&) = delete;

    void participate(const std::vector<std::string>& members,
                     std::shared_ptr<JobParticipant> participant) override;
    [[nodiscard]] CreatedJob create(const NewJob& job, const Call& asked) override {
        return participants_.create(job, asked);
    }
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> shown(const Job& job) override {
        return participants_.shown(job);
    }

    /// The plugin has started: it takes part from now on.
    void begin() noexcept { participants_.begin(this); }
    /// Takes its participant back.
    void end() { participants_.remove(this, starting_->isOver()); }

private:
    JobParticipants& participants_;
    const std::shared_ptr<void> code_;
    const std::shared_ptr<http::Gate> gate_;
    const std::shared_ptr<const entry::StartPhase> starting_;
};

/// The extension `job_tokens`.
class RegistryTokens final : public JobTokens {
public:
    explicit RegistryTokens(jobs::Registry& registry) : registry_(registry) {}
    [[nodiscard]] std::string renew(const JobId& job) override;

private:
    jobs::Registry& registry_;
};

}  // namespace sallyport::host::plugins
