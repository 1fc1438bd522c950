// A plugin that takes part in the creation of jobs: `POST /api/jobs` may have a member `labels`, an object of
// texts, which is stored with the job and shown with it.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sallyport/errors.h>
#include <sallyport/ext/job_lifecycle.h>
#include <sallyport/job_key.h>
#include <sallyport/json.h>
#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

constexpr std::size_t mostBytes = 4096;

/// The labels of one job, as JSON.
class StoredLabels final : public JobPart {
public:
    explicit StoredLabels(std::string labels) : labels_(std::move(labels)) {}

    void store(Transaction& transaction, const Job& job) override {
        transaction.execute("INSERT INTO labels (job_id, labels) VALUES (?, ?)", {jobKey(job.id), labels_});
    }

private:
    const std::string labels_;
};

class Labels final : public JobParticipant {
public:
    explicit Labels(Store& store) : store_(store) {}

    [[nodiscard]] std::unique_ptr<JobPart> prepare(const JobDraft& draft) override {
        const auto asked = draft.member("labels");
        const auto& last = draft.job().restartOf;
        std::string labels = asked ? checked(*asked) : last ? of(*last).value_or("") : "";
        return labels.empty() ? nullptr : std::make_unique<StoredLabels>(std::move(labels));
    }

    [[nodiscard]] std::optional<std::string> shown(const Job& job, std::string_view /*member*/) override {
        return of(job.id);
    }

private:
    static std::string checked(std::string_view text) {
        const json::Value labels = json::Value::parse(text);
        if (labels.kind() != json::Kind::object || text.size() > mostBytes) {
            throw invalidField("labels", "must be an object of at most 4096 bytes");
        }
        const json::Object object = labels.object();
        for (const auto& [name, value] : object.members()) {
            if (value.kind() != json::Kind::string) {
                throw invalidField("labels", "has a label that is no text: " + name);
            }
        }
        return labels.compact();
    }

    [[nodiscard]] std::optional<std::string> of(const JobId& job) const {
        const Rows rows = store_.query("SELECT labels FROM labels WHERE job_id = ?", {jobKey(job)});
        return rows.empty() ? std::nullopt : std::optional(rows.front().text(0));
    }

    Store& store_;
};

class LabelsPlugin final : public Plugin {
public:
    void start(Host& host) override {
        host.store().migrate("labels",
                             {{1, {"CREATE TABLE labels (job_id BLOB PRIMARY KEY, labels TEXT NOT NULL)"}}});
        host.require<JobLifecycle>().participate({"labels"}, std::make_shared<Labels>(host.store()));
        Store& store = host.store();
        host.bus().subscribe<JobDeleted>([&store](const JobDeleted& deleted) {
            store.submit(
                [job = deleted.job](Transaction& transaction) {
                    transaction.execute("DELETE FROM labels WHERE job_id = ?", {jobKey(job)});
                },
                [](const std::exception_ptr&) {});
        });
    }
};

}  // namespace

SALLYPORT_PLUGIN(LabelsPlugin, "labels", "1", "Labels of jobs")
