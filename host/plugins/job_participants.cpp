#include "host/plugins/job_participants.h"

#include <algorithm>
#include <array>
#include <future>
#include <iterator>
#include <stdexcept>

#include <sallyport/errors.h>
#include <sallyport/json.h>

#include "host/entry/entry.h"
#include "host/entry/waiting.h"
#include "host/plugins/kept.h"

namespace sallyport::host::plugins {

namespace {

/// What the plugin `jobs` reads and shows by itself.
constexpr std::array<std::string_view, 19> hostMembers{
    "task",   "title",    "user_id",     "project_dir", "mode",          "timeout",   "limits",
    "job_id", "state",    "created_at",  "started_at",  "finished_at",   "iteration", "restart_of",
    "result", "deadline", "quarantined", "usage",       "status_message"};

/// Members that Sallyport's own plugins take care of, and those: they are known where the plugin has never
/// run, too.
constexpr std::array<std::pair<const char*, const char*>, 1> bundledMembers{{{"credentials", "credentials"}}};

const std::vector<Migration>& memberMigrations() {
    static const std::vector<Migration> steps{
        {1, {"CREATE TABLE job_members (member TEXT PRIMARY KEY, plugin TEXT NOT NULL)"}}};
    return steps;
}

/// A fault of one plugin's code while another's request is served. What is wrong with the request or the
/// store is no fault.
template <class F>
auto entered(const http::Gate& gate, const char* callback, F&& function) {
    const entry::Entry entry(gate.owner(), callback);
    try {
        return std::forward<F>(function)();
    } catch (const RequestError&) {
        throw;
    } catch (...) {
        entry::logFailure(entry, std::current_exception());
        throw RequestError(500, "internal_error", "the plugin " + gate.plugin() + " failed");
    }
}

RequestError notRunning(const std::string& plugin, const std::string& why) {
    RequestError error = unavailable("plugin_unavailable", "the plugin " + plugin + " does not run, " + why);
    return error.retryAfter(std::chrono::seconds(5));
}

}  // namespace

/// The job as one participant sees it.
class JobParticipants::Draft final : public JobDraft {
public:
    Draft(const JobId& id, const NewJob& job, const Members& members,
          const std::vector<std::string>& declared, const Call& asked)
        : id_(id), job_(job), members_(members), declared_(declared), asked_(asked) {}

    [[nodiscard]] const JobId& id() const override { return id_; }
    [[nodiscard]] const NewJob& job() const override { return job_; }
    [[nodiscard]] std::optional<std::string_view> member(std::string_view name) const override {
        if (std::ranges::find(declared_, name) == declared_.end()) {
            return std::nullopt;
        }
        const auto found = members_.find(name);
        return found == members_.end() ? std::nullopt : std::optional(found->second.value);
    }
    [[nodiscard]] const Call& asked() const override { return asked_; }

private:
    const JobId& id_;
    const NewJob& job_;
    const Members& members_;
    const std::vector<std::string>& declared_;
    const Call& asked_;
};

/// What the participants store. Whatever is not durable when it goes is abandoned.
class JobParticipants::Parts {
public:
    Parts() = default;
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;
    ~Parts() {
        for (Part& each : parts_) {
            if (!stored_) {
                entry::guarded(each.gate.owner(), "JobPart::abandoned", nullptr,
                               [&] { each.part->abandoned(); });
            }
            entry::destroy(each.gate.owner(), "destructor of a JobPart", each.part);
        }
    }

    void add(const Present& present, const JobDraft& draft) {
        const http::Gate& gate = *present.of->gate;
        auto part =
            entered(gate, "JobParticipant::prepare", [&] { return present.of->participant->prepare(draft); });
        if (part) {
            parts_.push_back({gate, std::move(part)});
        }
    }

    [[nodiscard]] std::vector<std::string> plugins() const {
        std::vector<std::string> names;
        for (const Part& each : parts_) {
            names.push_back(each.gate.plugin());
        }
        return names;
    }

    void store(Transaction& transaction, const Job& job) {
        for (const Part& each : parts_) {
            entered(each.gate, "JobPart::store", [&] { each.part->store(transaction, job); });
        }
    }

    void stored() {
        stored_ = true;
        for (const Part& each : parts_) {
            entry::guarded(each.gate.owner(), "JobPart::stored", nullptr, [&] { each.part->stored(); });
        }
    }

    [[nodiscard]] bool withholdToken() const {
        return std::ranges::any_of(parts_, [](const Part& each) {
            // A token that is told in vain does less harm than one that nobody has.
            bool withholds = false;
            entry::guarded(each.gate.owner(), "JobPart::withholdsToken", nullptr,
                           [&] { withholds = each.part->withholdsToken(); });
            return withholds;
        });
    }

private:
    struct Part {
        const http::Gate& gate;
        std::unique_ptr<JobPart> part;
    };

    std::vector<Part> parts_;
    bool stored_ = false;
};

JobParticipants::JobParticipants(jobs::Registry& registry, Store& store, std::vector<std::string> absent,
                                 std::chrono::milliseconds patience)
    : registry_(registry), store_(store), absent_(std::move(absent)), patience_(patience) {
    store.migrate("job_members", memberMigrations());
    known_.insert(bundledMembers.begin(), bundledMembers.end());
    for (const Row& row : store.query("SELECT member, plugin FROM job_members")) {
        known_.insert_or_assign(row.text(0), row.text(1));
    }
}

void JobParticipants::add(const void* owner, std::shared_ptr<http::Gate> gate,
                          const std::vector<std::string>& members,
                          std::shared_ptr<JobParticipant> participant) {
    const std::string plugin = gate->plugin();
    const auto fresh = std::make_shared<const Participation>(
        Participation{owner, std::move(gate), members, std::move(participant)});
    {
        const std::lock_guard lock(mutex_);
        for (const Entry& entry : entries_) {
            if (entry.of->owner == owner) {
                throw std::logic_error("the plugin takes part in the creation of jobs already");
            }
        }
        for (const std::string& member : members) {
            const bool taken = std::ranges::any_of(entries_, [&](const Entry& entry) {
                return std::ranges::find(entry.of->members, member) != entry.of->members.end();
            });
            if (taken || std::ranges::find(hostMembers, member) != hostMembers.end()) {
                throw std::logic_error("the member " + member + " of new jobs is taken already");
            }
        }
    }
    // Before it takes part: what is asked for of it from now on is never passed over.
    remember(plugin, members);
    const std::lock_guard lock(mutex_);
    entries_.push_back({fresh});
}

/// A disk that takes nothing is no reason not to start again.
void JobParticipants::remember(const std::string& plugin, const std::vector<std::string>& members) {
    const auto before = known();
    std::vector<std::string> fresh;
    std::ranges::copy_if(members, std::back_inserter(fresh), [&](const std::string& member) {
        const auto found = before.find(member);
        return found == before.end() || found->second != plugin;
    });
    if (fresh.empty()) {
        return;
    }
    store_.write([&](Transaction& transaction) {
        for (const std::string& member : fresh) {
            transaction.execute("DELETE FROM job_members WHERE member = ?", {member});
            transaction.execute("INSERT INTO job_members (member, plugin) VALUES (?, ?)", {member, plugin});
        }
    });
    const std::lock_guard lock(mutex_);
    for (const std::string& member : fresh) {
        known_[member] = plugin;
    }
}

void JobParticipants::begin(const void* owner) noexcept {
    const std::lock_guard lock(mutex_);
    for (Entry& entry : entries_) {
        entry.started |= entry.of->owner == owner;
    }
}

void JobParticipants::remove(const void* owner, bool replaced) {
    // Destroyed outside the lock: a participant's destructor is the plugin's code.
    std::vector<Entry> removed;
    const std::lock_guard lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        if (entry->of->owner != owner) {
            ++entry;
            continue;
        }
        if (replaced) {
            leaving_.push_back(entry->of->gate);
        }
        removed.push_back(std::move(*entry));
        entry = entries_.erase(entry);
    }
    std::erase_if(leaving_, [](const auto& gate) { return gate->enter().has_value(); });
}

std::variant<std::vector<JobParticipants::Present>, std::shared_ptr<http::Gate>> JobParticipants::present()
    const {
    std::vector<Present> there;
    const std::lock_guard lock(mutex_);
    for (const Entry& entry : entries_) {
        if (!entry.started) {
            continue;
        }
        auto ticket = entry.of->gate->enter();
        if (!ticket) {
            return entry.of->gate;
        }
        there.push_back({*std::move(ticket), entry.of});
    }
    for (const auto& gate : leaving_) {
        if (!gate->enter()) {
            return gate;
        }
    }
    return there;
}

/// A participant that is being replaced is there again soon. It is not entered meanwhile: who replaces it
/// waits for those inside.
std::vector<JobParticipants::Present> JobParticipants::awaitPresent() const {
    const auto until = std::chrono::steady_clock::now() + patience_;
    for (;;) {
        auto found = present();
        if (auto* const there = std::get_if<0>(&found)) {
            return std::move(*there);
        }
        const auto gate = std::get<1>(found);
        const auto released = std::make_shared<std::promise<void>>();
        gate->whenReleased([released] { released->set_value(); });
        if (released->get_future().wait_until(until) == std::future_status::timeout) {
            throw notRunning(gate->plugin(), "and no job is created without it: it is being replaced");
        }
    }
}

std::map<std::string, std::string> JobParticipants::known() const {
    const std::lock_guard lock(mutex_);
    return known_;
}

JobParticipants::Members JobParticipants::membersIn(const json::Object& body) const {
    Members members;
    for (const auto& [member, plugin] : known()) {
        if (const json::Value* const value = body.optional(member)) {
            members.emplace(member, Member{value->raw(), plugin});
        }
    }
    return members;
}

/// @throws RequestError 503 unless all that the job needs is there.
void JobParticipants::requirePlugins(const Members& members, const NewJob& job,
                                     const std::vector<Present>& there) const {
    const auto runs = [&](const std::string& plugin) {
        return std::ranges::any_of(there,
                                   [&](const Present& each) { return each.of->gate->plugin() == plugin; });
    };
    for (const auto& [name, member] : members) {
        if (!runs(member.plugin)) {
            throw notRunning(member.plugin, "which takes care of the member '" + name + "'");
        }
    }
    const auto last = job.restartOf ? registry_.find(*job.restartOf) : nullptr;
    if (!last) {
        return;
    }
    // Sallyport's own may have given the job a part later, or in an older version.
    std::vector<std::string> needed = last->participants;
    for (const auto& [member, plugin] : bundledMembers) {
        if (std::ranges::find(absent_, plugin) == absent_.end()) {
            needed.emplace_back(plugin);
        }
    }
    for (const std::string& plugin : needed) {
        if (!runs(plugin)) {
            throw notRunning(plugin, "which may have a part of the job that is to be repeated");
        }
    }
}

CreatedJob JobParticipants::create(const NewJob& job, const Call& asked) {
    entry::requireMayWait("JobLifecycle::create");
    const auto body = asked.optionalJson();
    const Members members = body ? membersIn(*body) : Members();
    const std::vector<Present> there = awaitPresent();
    requirePlugins(members, job, there);
    const JobId id = JobId::random();
    Parts parts;
    for (const Present& each : there) {
        parts.add(each, Draft(id, job, members, each.of->members, asked));
    }
    CreatedJob created = registry_.create(
        job, id,
        {parts.plugins(), [&](Transaction& transaction, const Job& made) { parts.store(transaction, made); },
         [&] { parts.stored(); }});
    if (parts.withholdToken()) {
        created.token.clear();
    }
    return created;
}

std::vector<std::pair<std::string, std::string>> JobParticipants::shown(const Job& job) const {
    std::vector<std::pair<std::string, std::string>> values;
    const auto found = present();
    const auto* const there = std::get_if<0>(&found);
    if (there == nullptr) {
        return values;
    }
    for (const Present& each : *there) {
        for (const std::string& member : each.of->members) {
            if (auto value = shownBy(each, job, member)) {
                values.emplace_back(member, *std::move(value));
            }
        }
    }
    return values;
}

/// What a plugin cannot show is left out: the rest of the job is what one wants to see then.
std::optional<std::string> JobParticipants::shownBy(const Present& each, const Job& job,
                                                    const std::string& member) {
    const entry::Entry entry(each.of->gate->owner(), "JobParticipant::shown");
    try {
        return each.of->participant->shown(job, member);
    } catch (const StoreError&) {
        throw;
    } catch (...) {
        entry::logFailure(entry, std::current_exception());
        return std::nullopt;
    }
}

std::string RegistryTokens::renew(const JobId& job) {
    entry::requireMayWait("JobTokens::renew");
    return registry_.renewToken(job);
}

PluginJobLifecycle::PluginJobLifecycle(JobParticipants& participants, std::shared_ptr<void> code,
                                       std::shared_ptr<http::Gate> gate,
                                       std::shared_ptr<const entry::StartPhase> starting)
    : participants_(participants),
      code_(std::move(code)),
      gate_(std::move(gate)),
      starting_(std::move(starting)) {}

void PluginJobLifecycle::participate(const std::vector<std::string>& members,
                                     std::shared_ptr<JobParticipant> participant) {
    starting_->require("JobLifecycle::participate");
    participants_.add(this, gate_, members,
                      heldObject(code_, gate_, "destructor of a JobParticipant", std::move(participant)));
}

}  // namespace sallyport::host::plugins
