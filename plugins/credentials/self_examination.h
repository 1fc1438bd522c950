// What the plugin finds when it looks itself over.
#pragma once

#include <optional>
#include <string>

#include <sallyport/ext/examination.h>
#include <sallyport/store.h>

#include "audit_anchor.h"
#include "cipher.h"
#include "key_file.h"

namespace sallyport::plugins {

/// The master key, the secrets under it and the end of the audit trail, looked at and left as they are. What
/// it offers to other plugins refers to it.
class SelfExamination {
public:
    /// @param examination must outlive this.
    SelfExamination(Examination& examination, KeyFile keyFile, std::string anchorFile);

    /// Looks at what the scope wants.
    void run();

    /// One of the secrets that are there. @throws RequestError as SecretVault::reveal does, StoreError
    [[nodiscard]] SecretText reveal(const std::string& user, const std::string& name);

private:
    /// What only reads, for code that is given a transaction.
    class Snapshot;
    struct Place {
        std::string name;
        MasterKey key;
    };
    struct KeyFinding {
        Verdict verdict;
        std::string sentence;
        std::optional<MasterKey> key{};  ///< if it is the one that the database wants
    };

    void examineKey();
    [[nodiscard]] std::optional<KeyCheck> keyCheck();
    [[nodiscard]] KeyFinding judge(const std::optional<KeyCheck>& check);
    [[nodiscard]] std::optional<Place> findKey(const std::optional<KeyCheck>& check);
    [[nodiscard]] std::optional<Place> keyInFile(const std::optional<KeyCheck>& check) const;
    void examineSecrets();
    void examineTrail();

    Examination& examination_;
    const KeyFile keyFile_;
    const AuditAnchor anchor_;
    std::optional<MasterKey> key_;
};

}  // namespace sallyport::plugins
