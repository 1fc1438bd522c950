// The audit trail.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/log.h>
#include <sallyport/store.h>
#include <sallyport/timestamp.h>

#include "audit_anchor.h"
#include "audit_entry.h"

namespace sallyport::plugins {

/// An entry as it is stored.
struct StoredAuditEntry {
    std::int64_t number = 0;  ///< from 1, without a gap
    Timestamp at{};
    AuditEntry entry;
    Bytes hash;
};

/// Which entries to list, newest first.
struct AuditQuery {
    std::int64_t before = INT64_MAX;  ///< only entries with lower numbers
    std::size_t limit = 50;
    std::optional<std::string> user{};
    std::optional<JobId> job{};
    std::optional<std::string> secret{};
};

/// What became of looking at the whole trail.
struct AuditVerdict {
    AuditHead head;
    std::string problem;  ///< a sentence; empty when all is as it was written
};

/// An append-only table in which each entry is chained to the one before: its hash is the SHA-256 of that
/// one's hash and its own content. An entry is stored in the transaction of what it tells of, so that
/// neither is there without the other. How far the trail goes is kept in a row of its own and in a file
/// beside the database: what is cut off the end is missed there. [any thread]
class AuditLog {
public:
    using Entries = std::vector<AuditEntry>;
    /// Changes rows, and says what the trail shall tell of that. As Store::Work it may run more than once,
    /// each time with an empty list.
    using Work = std::function<void(Transaction&, Entries&)>;

    /// Brings the tables up to date and looks whether the file agrees. @throws StoreError
    AuditLog(Store& store, std::string anchorFile, Logger& log);

    /// Runs the work and stores its entries, both or none, and returns when they are durable.
    /// @throws StoreError, or what `work` throws
    void write(const Work& work);
    /// The same without waiting. @throws StoreError when the store's queue is full
    void submit(Work work, Store::Done done);
    /// Stores one entry. @throws StoreError
    void write(const AuditEntry& entry);

    /// Stores entries in a transaction that somebody else runs. @return what `note` is to be told once that
    /// is durable. @throws StoreError
    [[nodiscard]] static AuditHead append(Transaction& transaction, const Entries& entries);
    /// Notes beside the database how far the trail goes.
    void note(const AuditHead& head);

    /// @throws StoreError
    [[nodiscard]] std::vector<StoredAuditEntry> list(const AuditQuery& query) const;
    /// Reads the whole trail. @throws StoreError
    [[nodiscard]] AuditVerdict verify() const;

    /// Nothing while the trail agrees with the file.
    [[nodiscard]] std::optional<std::string> trouble() const;

    /// What the file beside the database says, or why it says nothing.
    struct Noted {
        std::optional<AuditHead> head;
        std::string problem;
    };
    /// How the trail and the file disagree.
    struct Disagreement {
        std::string sentence;
        bool noteMissing = false;  ///< there is no file, as after a restore
    };

    /// To be read before the trail, which may grow meanwhile.
    [[nodiscard]] static Noted readNote(const AuditAnchor& anchor);
    /// Nothing when a trail as it is in the database tells the same as the file did. @throws StoreError
    [[nodiscard]] static std::optional<Disagreement> disagreement(const Noted& noted, Transaction& trail);

    /// The hash of an entry, given the one before. Public so that the test can compare it with one that was
    /// computed by other means.
    [[nodiscard]] static Bytes hashOf(const Bytes& previous, const StoredAuditEntry& entry);

private:
    using Query = std::function<Rows(std::string_view sql, const std::vector<SqlValue>& values)>;

    [[nodiscard]] AuditHead head() const;
    [[nodiscard]] std::optional<Disagreement> disagreement(const Noted& noted,
                                                           const AuditHead& present) const;
    [[nodiscard]] static std::optional<Disagreement> compare(const Noted& noted, const AuditHead& present,
                                                             const Query& query);
    void noteRestore();

    Store& store_;
    Logger& log_;
    AuditAnchor anchor_;
    /// The file stays as it is: it is evidence.
    std::atomic<bool> frozen_{false};
    std::atomic<bool> unwritable_{false};
};

}  // namespace sallyport::plugins
