// The plugin that docs/plugins.md is about: notes that a worker keeps for its job. What stands in the guide
// is taken from here, which guide_test.cpp checks.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <Poco/HMACEngine.h>
#include <Poco/SHA1Engine.h>

#include <sallyport/errors.h>
#include <sallyport/ext/examination.h>
#include <sallyport/ext/metrics.h>
#include <sallyport/ext/tunnels.h>
#include <sallyport/job_key.h>
#include <sallyport/plugin.h>
#include <sallyport/retention.h>
#include <sallyport/secrets.h>

#include "tests/unit/testing/note_counts.h"

namespace {

using namespace sallyport;
using namespace std::chrono_literals;

constexpr Setting settings[] = {
    {"max_size", SettingKind::size, "16KiB", "largest note", 1, 1024 * 1024},
    {"keep", SettingKind::duration, "30d", "how long notes are kept; 0: as long as their job"},
};

const std::vector<Migration> schema{
    {1,
     {"CREATE TABLE notes (id {key}, job_id BLOB NOT NULL, text TEXT NOT NULL)",
      "CREATE INDEX notes_job ON notes (job_id)"}},
    {2, {"ALTER TABLE notes ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0"}},
};

std::string topicOf(const JobId& job) {
    return "notes/" + job.str();
}

/// Says after all that comes how many lines there have been, until the client has no more to say.
class Lines final : public Tunnel {
public:
    void onOpened(std::shared_ptr<TunnelPeer> peer) override { peer_ = std::move(peer); }
    void onData(std::string_view bytes) override {
        lines_ += std::count(bytes.begin(), bytes.end(), '\n');
        if (!peer_->send(std::to_string(lines_) + "\n")) {
            // Nobody reads that: what comes stays where it is until somebody does.
            peer_->pauseReading();
        }
    }
    void onWritable() override { peer_->resumeReading(); }
    void onPeerFinished() override { peer_->finish(); }
    void onClosed(TunnelEnd /*end*/) override { peer_ = nullptr; }

private:
    std::shared_ptr<TunnelPeer> peer_;
    std::int64_t lines_ = 0;
};

/// How many notes each job has, for handlers that must not wait for the database.
class Counts final : public NoteCounts {
public:
    [[nodiscard]] std::int64_t of(const JobId& job) const override {
        const std::lock_guard lock(mutex_);
        const auto found = counts_.find(job);
        return found == counts_.end() ? 0 : found->second;
    }
    void add(const JobId& job, std::int64_t count) {
        const std::lock_guard lock(mutex_);
        counts_[job] += count;
    }
    void forget(const JobId& job) {
        const std::lock_guard lock(mutex_);
        counts_.erase(job);
    }

private:
    mutable std::mutex mutex_;
    std::map<JobId, std::int64_t> counts_;
};

/// The table, from which notes are deleted with their jobs and when they are old.
class NoteTable final : public KeptRows {
public:
    explicit NoteTable(Store& store) : store_(store) {}

    [[nodiscard]] std::optional<JobId> jobAfter(const std::optional<JobId>& job) override {
        const Row first =
            store_.query("SELECT MIN(job_id) FROM notes WHERE job_id > ?", {job ? jobKey(*job) : Bytes()})
                .at(0);
        return first.isNull(0) ? std::nullopt : std::optional(jobOfKey(first.bytes(0)));
    }

    bool removeJob(const JobId& job, Sweep& sweep) override {
        return sweep.run(
            [&](std::size_t most) {
                return Sweep::keysIn(store_.query("SELECT id FROM notes WHERE job_id = ? LIMIT ?",
                                                  {jobKey(job), static_cast<std::int64_t>(most)}));
            },
            remove);
    }

    bool removeBefore(Timestamp time, Sweep& sweep) override {
        return sweep.run(
            [&](std::size_t most) {
                return Sweep::keysIn(
                    store_.query("SELECT id FROM notes WHERE created_at < ? LIMIT ?",
                                 {time.time_since_epoch().count(), static_cast<std::int64_t>(most)}));
            },
            remove);
    }

private:
    static void remove(Transaction& transaction, std::int64_t key) {
        transaction.execute("DELETE FROM notes WHERE id = ?", {key});
    }

    Store& store_;
};

class NotesPlugin final : public Plugin {
public:
    void start(Host& host) override {
        host_ = &host;
        maxSize_ = host.settings().size("max_size");
        host.store().migrate("notes", schema);
        load();
        if (auto* const metrics = host.extension<Metrics>()) {
            stored_ = &metrics->counter("stored_total", "Notes that workers have written");
        }

        host.routes().worker("POST", "/notes", [this](const Call& call) { return add(call); },
                             {.run = Run::loop});
        host.routes().worker("GET", "/notes", [this](const Call& call) { return list(call); });
        host.routes().worker("GET", "/notes/count", [this](const Call& call) { return count(call); },
                             {.run = Run::loop});
        host.routes().worker("GET", "/notes/lines",
                             [](const Call&) { return Reply::upgrade("lines", std::make_shared<Lines>()); });
        host.routes().worker("GET", "/notes/text", [this](const Call& call) { return text(call); });
        host.routes().operators("GET", "/jobs/{job_id}/notes",
                                [this](const Call& call) { return show(call); });
        host.routes().operators("DELETE", "/jobs/{job_id}/notes",
                                [this](const Call& call) { return erase(call); },
                                {.permission = "notes.admin"});

        host.bus().subscribe<JobFinished>(
            [this](const JobFinished& finished) { counts_->forget(finished.job); });
        host.every(1min, [this] { lookForVault(); });
        table_.emplace(host.store());
        retention_.emplace(
            host, *table_,
            Retention::Options{
                .line = "notes were deleted", .keep = host.settings().duration("keep"), .settle = 0ms});
        host.provide<NoteCounts>(counts_);
    }

    void stop() override { host_->log().info("notes are closed"); }

    [[nodiscard]] std::optional<std::string> trouble() const override {
        if (vaultMissing_) {
            return "notes are not shown to operators while there is no vault to sign them with";
        }
        return std::nullopt;
    }

    void examine(Examination& examination) override {
        if (!examination.find<SecretVault>()) {
            examination.warn(
                "notes",
                "there is no vault to sign notes with: load the plugin credentials, or operators "
                "see none");
        }
        if (examination.hasTable("notes")) {
            const std::int64_t count = examination.query("SELECT count(*) FROM notes").at(0).integer(0);
            examination.ok("notes", "there are " + std::to_string(count));
        }
    }

private:
    void load() {
        for (const Row& row : host_->store().query("SELECT job_id, count(*) FROM notes GROUP BY job_id")) {
            counts_->add(jobOfKey(row.bytes(0)), row.integer(1));
        }
    }

    /// POST /worker/{job_id}/notes {"text"}
    Reply add(const Call& call) {
        const std::string text = call.json().string("text");
        if (text.size() > maxSize_) {
            throw tooLarge("a note may have " + std::to_string(maxSize_) + " bytes at the most");
        }
        const JobId job = call.caller().job();
        return Reply::whenStored(
            host_->store(),
            [job, text](Transaction& transaction) {
                transaction.execute("INSERT INTO notes (job_id, text, created_at) VALUES (?, ?, ?)",
                                    {jobKey(job), text, now().time_since_epoch().count()});
            },
            [this, job, user = call.caller().user()] {
                counts_->add(job, 1);
                if (stored_ != nullptr) {
                    stored_->add();
                }
                host_->bus().wake(topicOf(job));
                announce(job, user);
                return Reply::empty(201);
            });
    }

    void announce(const JobId& job, const std::string& user) {
        host_->events().publish({.id = 0,
                                 .user = user,
                                 .job = job,
                                 .type = "job_note",
                                 .data = R"({"type":"job_note","job_id":")" + job.str() + R"("})"});
    }

    /// GET /worker/{job_id}/notes
    Reply list(const Call& call) { return notesOf(call.caller().job()); }

    Reply notesOf(const JobId& job) {
        const Rows rows =
            host_->store().query("SELECT text FROM notes WHERE job_id = ? ORDER BY id", {jobKey(job)});
        return Reply::json(200, [&rows](json::Writer& answer) {
            answer.key("notes").beginArray();
            for (const Row& row : rows) {
                answer.string(row.text(0));
            }
            answer.endArray();
        });
    }

    /// GET /worker/{job_id}/notes/count?above=N waits until there are more than N.
    Reply count(const Call& call) {
        const JobId job = call.caller().job();
        const std::int64_t above = call.queryInteger("above", 0, INT64_MAX, 0);
        return Reply::waitFor(
            topicOf(job), 30s,
            [this, job, above]() -> std::optional<Reply> {
                const std::int64_t count = counts_->of(job);
                if (count <= above) {
                    return std::nullopt;
                }
                return Reply::json(200, [count](json::Writer& answer) { answer.member("count", count); });
            },
            Reply::empty(204));
    }

    /// GET /worker/{job_id}/notes/text, as long as it may be.
    Reply text(const Call& call) {
        const JobId job = call.caller().job();
        return Reply::stream(200, "text/plain; charset=utf-8",
                             [this, job](const std::shared_ptr<Stream>& client) {
                                 // This is the connection's thread, which must not wait for the database.
                                 host_->run([this, job, client] { write(job, *client); });
                             });
    }

    void write(const JobId& job, Stream& client) {
        for (const Row& row :
             host_->store().query("SELECT text FROM notes WHERE job_id = ? ORDER BY id", {jobKey(job)})) {
            if (!client.write(row.text(0) + "\n")) {
                return;
            }
        }
        client.end();
    }

    /// GET /api/jobs/{job_id}/notes
    Reply show(const Call& call) {
        const auto owner = host_->jobs().owner(call.jobId());
        if (!owner || !call.caller().mayAccess(*owner)) {
            throw notFound("there is no such job");
        }
        return notesOf(call.jobId())
            .header("X-Signature", signature(call.caller().user(), call.jobId().str()));
    }

    /// DELETE /api/jobs/{job_id}/notes
    Reply erase(const Call& call) {
        const JobId job = call.jobId();
        host_->store().write([job](Transaction& transaction) {
            transaction.execute("DELETE FROM notes WHERE job_id = ?", {jobKey(job)});
        });
        counts_->forget(job);
        return Reply::empty(204);
    }

    [[nodiscard]] std::string signature(const std::string& user, const std::string& text) const {
        const auto vault = host_->find<SecretVault>();
        if (!vault) {
            throw unavailable("no_vault", "the secrets are not there at the moment");
        }
        const SecretText key = vault->reveal("notes", user, "notes_key");
        Poco::HMACEngine<Poco::SHA1Engine> hmac(key.reveal().data(), key.size());
        hmac.update(text);
        return Poco::DigestEngine::digestToHex(hmac.digest());
    }

    /// On a pool thread, every minute.
    void lookForVault() { vaultMissing_ = !host_->find<SecretVault>(); }

    Host* host_ = nullptr;
    std::size_t maxSize_ = 0;
    Counter* stored_ = nullptr;
    std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
    std::optional<NoteTable> table_;
    std::optional<Retention> retention_;
    std::atomic<bool> vaultMissing_{false};
};

}  // namespace

SALLYPORT_PLUGIN_WITH_SETTINGS(NotesPlugin, "notes", "1.0.0", "Notes that workers keep for jobs", settings)
