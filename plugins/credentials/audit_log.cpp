#include "audit_log.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include <openssl/evp.h>

namespace sallyport::plugins {

namespace {

constexpr std::int64_t pageOfVerify = 1000;

const std::vector<Migration>& auditMigrations() {
    static const std::vector<Migration> steps = {
        {1,
         {"CREATE TABLE audit_log (number BIGINT PRIMARY KEY, at BIGINT NOT NULL, actor TEXT NOT NULL,"
          " action TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, user_id TEXT NOT NULL,"
          " job_id TEXT NOT NULL, secret_name TEXT NOT NULL, env_var TEXT NOT NULL,"
          " request_id TEXT NOT NULL, hash BLOB NOT NULL)",
          "CREATE TABLE audit_log_head (id BIGINT PRIMARY KEY, entries BIGINT NOT NULL, hash BLOB NOT "
          "NULL)"}}};
    return steps;
}

constexpr const char* columns =
    "number, at, actor, action, outcome, reason, user_id, job_id, secret_name, env_var, request_id, hash";

StoredAuditEntry entryOf(const Row& row) {
    StoredAuditEntry stored;
    stored.number = row.integer(0);
    stored.at = Timestamp(std::chrono::milliseconds(row.integer(1)));
    stored.entry.by = {row.text(2), row.text(10)};
    stored.entry.action = row.text(3);
    stored.entry.outcome = row.text(4);
    stored.entry.reason = row.text(5);
    stored.entry.user = row.text(6);
    stored.entry.job = JobId::parse(row.text(7));
    stored.entry.secret = row.text(8);
    stored.entry.variable = row.text(9);
    stored.hash = row.bytes(11);
    return stored;
}

std::string textOf(const std::optional<JobId>& job) {
    return job ? job->str() : std::string();
}

/// Each field with its length before it (a netstring), so that no two entries have the same text.
std::string canonical(const StoredAuditEntry& stored) {
    const AuditEntry& entry = stored.entry;
    std::string text;
    for (const std::string& field :
         {std::to_string(stored.number), std::to_string(stored.at.time_since_epoch().count()), entry.by.actor,
          entry.action, entry.outcome, entry.reason, entry.user, textOf(entry.job), entry.secret,
          entry.variable, entry.by.requestId}) {
        text.append(std::to_string(field.size())).append(":").append(field).append(",");
    }
    return text;
}

AuditHead headOf(const Rows& rows) {
    return rows.empty() ? AuditHead() : AuditHead{rows.front().integer(0), rows.front().bytes(1)};
}

constexpr const char* selectHead = "SELECT entries, hash FROM audit_log_head";

}  // namespace

AuditLog::AuditLog(Store& store, std::string anchorFile, Logger& log)
    : store_(store), log_(log), anchor_(std::move(anchorFile)) {
    store_.migrate("audit_log", auditMigrations());
    const Noted noted = readNote(anchor_);
    const AuditHead present = head();
    const auto problem = disagreement(noted, present);
    if (problem && problem->noteMissing) {
        noteRestore();
    } else if (problem) {
        frozen_ = true;
        log_.error("the audit trail is not as it was left", {{"problem", problem->sentence}});
    }
    note(present);
}

/// After `sallyport restore` the file is missing. Whoever removes it to hide that he cut the trail leaves the
/// same entry, for which nobody has a restore to show.
void AuditLog::noteRestore() {
    log_.warn(
        "the note of the last entry of the audit trail is missing, as after a restore; a new one is made",
        {{"file", anchor_.file()}});
    AuditEntry entry{{"daemon", {}}, audit::restore};
    entry.reason = audit::noteMissing;
    write(entry);
}

void AuditLog::write(const Work& work) {
    AuditHead written;
    store_.write([&](Transaction& transaction) {
        Entries entries;
        work(transaction, entries);
        written = append(transaction, entries);
    });
    note(written);
}

void AuditLog::submit(Work work, Store::Done done) {
    const auto written = std::make_shared<AuditHead>();
    store_.submit(
        [work = std::move(work), written](Transaction& transaction) {
            Entries entries;
            work(transaction, entries);
            *written = append(transaction, entries);
        },
        [this, done = std::move(done), written](const std::exception_ptr& problem) {
            if (!problem) {
                note(*written);
            }
            done(problem);
        });
}

void AuditLog::write(const AuditEntry& entry) {
    write([&entry](Transaction&, Entries& entries) { entries.push_back(entry); });
}

Bytes AuditLog::hashOf(const Bytes& previous, const StoredAuditEntry& entry) {
    const std::string text = canonical(entry);
    Bytes input(previous);
    input.insert(input.end(), text.begin(), text.end());
    Bytes hash(32);
    unsigned int size = 0;
    if (EVP_Digest(input.data(), input.size(), hash.data(), &size, EVP_sha256(), nullptr) != 1 ||
        size != hash.size()) {
        throw std::runtime_error("the cryptographic library failed");
    }
    return hash;
}

/// @return the new head; where there is nothing to append, that of an empty trail.
AuditHead AuditLog::append(Transaction& transaction, const Entries& entries) {
    if (entries.empty()) {
        return {};
    }
    AuditHead head = headOf(transaction.query(selectHead));
    for (const AuditEntry& entry : entries) {
        StoredAuditEntry stored{head.entries + 1, now(), entry, {}};
        stored.hash = hashOf(head.hash, stored);
        transaction.execute(
            "INSERT INTO audit_log (number, at, actor, action, outcome, reason, user_id, job_id, secret_name,"
            " env_var, request_id, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            {stored.number, std::int64_t{stored.at.time_since_epoch().count()}, entry.by.actor, entry.action,
             entry.outcome, entry.reason, entry.user, textOf(entry.job), entry.secret, entry.variable,
             entry.by.requestId, stored.hash});
        head = {stored.number, stored.hash};
    }
    transaction.execute("DELETE FROM audit_log_head");
    transaction.execute("INSERT INTO audit_log_head (id, entries, hash) VALUES (1, ?, ?)",
                        {head.entries, head.hash});
    return head;
}

AuditHead AuditLog::head() const {
    return headOf(store_.query(selectHead));
}

void AuditLog::note(const AuditHead& head) {
    if (frozen_) {
        return;
    }
    const bool failed = !anchor_.note(head);
    if (failed && !unwritable_.exchange(true)) {
        log_.error("the note of the last entry of the audit trail cannot be written",
                   {{"file", anchor_.file()}});
    } else if (!failed) {
        unwritable_ = false;
    }
}

std::optional<std::string> AuditLog::trouble() const {
    if (frozen_) {
        return "the audit trail is not as it was left: sallyport audit verify says more";
    }
    if (unwritable_) {
        return "the note of the last entry of the audit trail, " + anchor_.file() + ", cannot be written";
    }
    return std::nullopt;
}

std::vector<StoredAuditEntry> AuditLog::list(const AuditQuery& query) const {
    std::string sql = std::string("SELECT ") + columns + " FROM audit_log WHERE number < ?";
    std::vector<SqlValue> values{query.before};
    const auto where = [&](const char* condition, const std::optional<std::string>& value) {
        if (value) {
            sql += condition;
            values.emplace_back(*value);
        }
    };
    where(" AND user_id = ?", query.user);
    where(" AND job_id = ?", query.job ? std::optional(query.job->str()) : std::nullopt);
    where(" AND secret_name = ?", query.secret);
    values.emplace_back(static_cast<std::int64_t>(query.limit));
    std::vector<StoredAuditEntry> entries;
    for (const Row& row : store_.query(sql + " ORDER BY number DESC LIMIT ?", values)) {
        entries.push_back(entryOf(row));
    }
    return entries;
}

AuditLog::Noted AuditLog::readNote(const AuditAnchor& anchor) {
    try {
        return {anchor.read(), {}};
    } catch (const std::runtime_error& problem) {
        return {std::nullopt,
                std::string("the note of the last entry beside the database ") + problem.what()};
    }
}

std::optional<AuditLog::Disagreement> AuditLog::disagreement(const Noted& noted, Transaction& trail) {
    return compare(noted, headOf(trail.query(selectHead)),
                   [&trail](std::string_view sql, const std::vector<SqlValue>& values) {
                       return trail.query(sql, values);
                   });
}

std::optional<AuditLog::Disagreement> AuditLog::disagreement(const Noted& noted,
                                                             const AuditHead& present) const {
    return compare(noted, present, [this](std::string_view sql, const std::vector<SqlValue>& values) {
        return store_.query(sql, values);
    });
}

/// @param noted must have been read before the head.
std::optional<AuditLog::Disagreement> AuditLog::compare(const Noted& noted, const AuditHead& present,
                                                        const Query& query) {
    if (!noted.problem.empty()) {
        return Disagreement{noted.problem};
    }
    if (!noted.head) {
        return present.entries == 0 ? std::nullopt
                                    : std::optional(Disagreement{
                                          "the note of the last entry beside the database is missing", true});
    }
    const std::int64_t entries = noted.head->entries;
    if (entries > present.entries) {
        return Disagreement{"the trail has been cut: it has " + std::to_string(present.entries) +
                            " entries, and had " + std::to_string(entries) +
                            " when that was noted beside the database"};
    }
    const Rows rows = query("SELECT hash FROM audit_log WHERE number = ?", {entries});
    if (entries > 0 && (rows.empty() || rows.front().bytes(0) != noted.head->hash)) {
        return Disagreement{"entry " + std::to_string(entries) +
                            " is not the one that was noted beside the database"};
    }
    return std::nullopt;
}

AuditVerdict AuditLog::verify() const {
    // In this order, since entries may come meanwhile: what is read later is never behind.
    const Noted noted = readNote(anchor_);
    const std::int64_t last = store_.query("SELECT max(number) FROM audit_log").at(0).integer(0);
    AuditVerdict verdict{head(), {}};
    const AuditHead& written = verdict.head;
    if (last > written.entries) {
        verdict.problem = "there are entries beyond " + std::to_string(written.entries) + ", the last known";
        return verdict;
    }
    AuditHead walked;
    while (walked.entries < written.entries) {
        const Rows rows = store_.query(std::string("SELECT ") + columns +
                                           " FROM audit_log WHERE number > ? AND number <= ?"
                                           " ORDER BY number LIMIT ?",
                                       {walked.entries, written.entries, pageOfVerify});
        for (const Row& row : rows) {
            const StoredAuditEntry stored = entryOf(row);
            if (stored.number != walked.entries + 1) {
                break;
            }
            if (hashOf(walked.hash, stored) != stored.hash) {
                verdict.problem = "entry " + std::to_string(stored.number) + " has been changed";
                return verdict;
            }
            walked = {stored.number, stored.hash};
        }
        if (rows.empty() || entryOf(rows.back()).number != walked.entries) {
            verdict.problem = "entry " + std::to_string(walked.entries + 1) + " is missing";
            return verdict;
        }
    }
    if (walked.hash != written.hash) {
        verdict.problem = "the last entry is not the one that was written last";
    } else if (const auto problem = disagreement(noted, written)) {
        verdict.problem = problem->sentence;
    }
    return verdict;
}

}  // namespace sallyport::plugins
