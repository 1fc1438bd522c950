#include "secret_table.h"

#include <utility>

namespace sallyport::plugins {

namespace {

const std::vector<Migration>& secretMigrations() {
    // The columns of `secrets` have the names that they have in ironclaw's database.
    static const std::vector<Migration> steps = {
        {1,
         {"CREATE TABLE secrets (id {key}, user_id TEXT NOT NULL, name TEXT NOT NULL,"
          " encrypted_value BLOB NOT NULL, key_salt BLOB NOT NULL, provider TEXT, expires_at BIGINT,"
          " usage_count BIGINT NOT NULL, last_used_at BIGINT, created_at BIGINT NOT NULL,"
          " updated_at BIGINT NOT NULL, UNIQUE (user_id, name))",
          "CREATE TABLE secrets_key_check (id BIGINT PRIMARY KEY, value BLOB NOT NULL, salt BLOB NOT "
          "NULL)"}}};
    return steps;
}

constexpr const char* selectInfo =
    "SELECT id, user_id, name, provider, expires_at, usage_count, last_used_at, created_at, updated_at"
    " FROM secrets WHERE user_id = ? AND name = ?";
constexpr const char* selectPage =
    "SELECT id, user_id, name, provider, expires_at, usage_count, last_used_at, created_at, updated_at"
    " FROM secrets WHERE user_id = ? AND name > ? ORDER BY name LIMIT ?";
constexpr const char* selectStored =
    "SELECT id, user_id, name, provider, expires_at, usage_count, last_used_at, created_at, updated_at,"
    " encrypted_value, key_salt FROM secrets WHERE user_id = ? AND name = ?";
constexpr const char* selectAllStored =
    "SELECT id, user_id, name, provider, expires_at, usage_count, last_used_at, created_at, updated_at,"
    " encrypted_value, key_salt FROM secrets WHERE id > ? ORDER BY id LIMIT ?";

std::int64_t stored(Timestamp time) {
    return time.time_since_epoch().count();
}

SqlValue stored(const std::optional<Timestamp>& time) {
    return time ? SqlValue(stored(*time)) : SqlValue();
}

Timestamp timeOf(std::int64_t milliseconds) {
    return Timestamp(std::chrono::milliseconds(milliseconds));
}

std::optional<Timestamp> timeOf(const std::optional<std::int64_t>& milliseconds) {
    return milliseconds ? std::optional(timeOf(*milliseconds)) : std::nullopt;
}

/// The columns that all of the SELECTs above begin with.
SecretInfo infoOf(const Row& row) {
    SecretInfo info;
    info.user = row.text(1);
    info.name = row.text(2);
    info.provider = row.optionalText(3);
    info.expiresAt = timeOf(row.optionalInteger(4));
    info.usageCount = row.integer(5);
    info.lastUsedAt = timeOf(row.optionalInteger(6));
    info.createdAt = timeOf(row.integer(7));
    info.updatedAt = timeOf(row.integer(8));
    return info;
}

constexpr const char* selectCheck = "SELECT value, salt FROM secrets_key_check";

std::optional<KeyCheck> checkOf(const Rows& rows) {
    return rows.empty() ? std::nullopt
                        : std::optional(KeyCheck{rows.front().bytes(0), rows.front().bytes(1)});
}

StoredSecret storedOf(const Row& row) {
    return {row.integer(0), infoOf(row), {row.bytes(9), row.bytes(10)}};
}

}  // namespace

SecretTable::SecretTable(Store& store) : store_(store) {
    store_.migrate("secrets", secretMigrations());
}

bool SecretTable::put(Transaction& transaction, const SecretInfo& info, const EncryptedSecret& encrypted) {
    const std::size_t changed = transaction.execute(
        "UPDATE secrets SET encrypted_value = ?, key_salt = ?, provider = ?, expires_at = ?, updated_at = ?"
        " WHERE user_id = ? AND name = ?",
        {encrypted.value, encrypted.salt, sqlValue(info.provider), stored(info.expiresAt),
         stored(info.updatedAt), info.user, info.name});
    if (changed > 0) {
        return false;
    }
    transaction.insert(
        "INSERT INTO secrets (user_id, name, encrypted_value, key_salt, provider, expires_at, usage_count,"
        " created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)",
        {info.user, info.name, encrypted.value, encrypted.salt, sqlValue(info.provider),
         stored(info.expiresAt), stored(info.createdAt), stored(info.updatedAt)});
    return true;
}

bool SecretTable::remove(Transaction& transaction, const std::string& user, const std::string& name) {
    return transaction.execute("DELETE FROM secrets WHERE user_id = ? AND name = ?", {user, name}) > 0;
}

std::optional<StoredSecret> SecretTable::find(Transaction& transaction, const std::string& user,
                                              const std::string& name) {
    const Rows rows = transaction.query(selectStored, {user, name});
    return rows.empty() ? std::nullopt : std::optional(storedOf(rows.front()));
}

bool SecretTable::exists(Transaction& transaction, const std::string& user, const std::string& name) {
    return !transaction.query("SELECT id FROM secrets WHERE user_id = ? AND name = ?", {user, name}).empty();
}

void SecretTable::countUse(Transaction& transaction, std::int64_t id, Timestamp at) {
    transaction.execute("UPDATE secrets SET usage_count = usage_count + 1, last_used_at = ? WHERE id = ?",
                        {stored(at), id});
}

std::vector<StoredSecret> SecretTable::next(Transaction& transaction, std::int64_t after, std::size_t limit) {
    std::vector<StoredSecret> secrets;
    for (const Row& row : transaction.query(selectAllStored, {after, static_cast<std::int64_t>(limit)})) {
        secrets.push_back(storedOf(row));
    }
    return secrets;
}

void SecretTable::reencrypt(Transaction& transaction, std::int64_t id, const EncryptedSecret& encrypted) {
    transaction.execute("UPDATE secrets SET encrypted_value = ?, key_salt = ? WHERE id = ?",
                        {encrypted.value, encrypted.salt, id});
}

void SecretTable::setCheck(Transaction& transaction, const KeyCheck& check) {
    transaction.execute("DELETE FROM secrets_key_check");
    transaction.execute("INSERT INTO secrets_key_check (id, value, salt) VALUES (1, ?, ?)",
                        {check.value, check.salt});
}

std::optional<KeyCheck> SecretTable::check() const {
    return checkOf(store_.query(selectCheck));
}

std::optional<KeyCheck> SecretTable::check(Transaction& transaction) {
    return checkOf(transaction.query(selectCheck));
}

std::optional<SecretInfo> SecretTable::info(const std::string& user, const std::string& name) const {
    const Rows rows = store_.query(selectInfo, {user, name});
    return rows.empty() ? std::nullopt : std::optional(infoOf(rows.front()));
}

std::vector<SecretInfo> SecretTable::list(const std::string& user, const std::string& after,
                                          std::size_t limit) const {
    std::vector<SecretInfo> secrets;
    for (const Row& row : store_.query(selectPage, {user, after, static_cast<std::int64_t>(limit)})) {
        secrets.push_back(infoOf(row));
    }
    return secrets;
}

}  // namespace sallyport::plugins
