#include "host/auth/operators.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <sallyport/errors.h>
#include <sallyport/file_descriptor.h>
#include <sallyport/new_file.h>
#include <sallyport/private_file.h>

#include "host/auth/permissions.h"

namespace sallyport::host::auth {

namespace {

constexpr const char* localName = "local";
constexpr const char* localUser = "default";
constexpr const char* kindOfNote = "operator";

const std::vector<Migration>& migrations() {
    static const std::vector<Migration> steps{
        {1,
         {"CREATE TABLE operator_tokens ("
          "id {key}, "  // never reused: a revoked id names no later token
          "name TEXT NOT NULL, "
          "user_id TEXT NOT NULL, "
          "role TEXT NOT NULL, "
          "digest TEXT NOT NULL UNIQUE, "
          "local_file INTEGER NOT NULL, "  // 1: made for <data.dir>/operator.token
          "created_at INTEGER NOT NULL)"}}};
    return steps;
}

struct Entry {
    OperatorToken token;
    bool localFile = false;
};

using Entries = std::unordered_map<Digest, Entry, DigestHash, DigestEqual>;

[[noreturn]] void fail(const std::string& file, const std::string& problem) {
    throw std::runtime_error(file + ": " + problem);
}

[[noreturn]] void failWithErrno(const std::string& file, const std::string& action) {
    fail(file, action + ": " + std::strerror(errno));
}

void requirePrivate(const std::string& file, int descriptor) {
    constexpr const char* remedy = "remove it, and a new token is written at the next start";
    const auto exposure = exposureOf(descriptor, file);
    if (!exposure) {
        return;
    }
    switch (exposure->kind) {
        case Exposure::Kind::notRegular:
            fail(file, exposure->text + ": " + remedy);
        case Exposure::Kind::foreign:
            fail(file, exposure->text + ", or " + remedy);
        case Exposure::Kind::open:
            fail(file, exposure->text + ", so that others can use the admin token in it: " + remedy +
                           ", or run chmod 600 " + file + " if nobody has read it");
    }
}

/// The token in the file; nothing if there is no such file.
std::optional<std::string> readTokenFile(const std::string& file) {
    // Neither a link to elsewhere nor a pipe that never answers.
    const FileDescriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!descriptor.open()) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        failWithErrno(file, "cannot be opened");
    }
    requirePrivate(file, descriptor.get());
    std::array<char, 80> text{};
    const ssize_t length = ::read(descriptor.get(), text.data(), text.size());
    if (length < 0) {
        failWithErrno(file, "cannot be read");
    }
    std::string token(text.data(), static_cast<std::size_t>(length));
    OPENSSL_cleanse(text.data(), text.size());
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) {
        token.pop_back();
    }
    try {
        static_cast<void>(fromHex(token));  // a token and a digest are written alike
    } catch (const std::invalid_argument&) {
        fail(file, "holds no token: remove it, and a new one is written at the next start");
    }
    return token;
}

void writeTokenFile(const std::string& file, const std::string& token) {
    try {
        NewFile fresh(file);
        fresh.write(token + "\n");
        fresh.publish();
    } catch (const FileError& error) {
        fail(error.file(), error.problem());
    }
}

std::int64_t insertRow(Transaction& transaction, const Entry& entry, const Digest& digest) {
    return transaction.insert(
        "INSERT INTO operator_tokens (name, user_id, role, digest, local_file, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        {entry.token.name, entry.token.user, std::string(name(entry.token.role)), hex(digest),
         std::int64_t{entry.localFile}, entry.token.createdAt.time_since_epoch().count()});
}

std::pair<Digest, Entry> readRow(const Row& row) {
    const auto role = parseRole(row.text(3));
    if (!role) {
        throw StoreError("operator_tokens: unknown role '" + row.text(3) + "'");
    }
    Entry entry{{row.integer(0), row.text(1), row.text(2), *role,
                 Timestamp(std::chrono::milliseconds(row.integer(6)))},
                row.integer(5) != 0};
    try {
        return {fromHex(row.text(4)), std::move(entry)};
    } catch (const std::invalid_argument& problem) {
        throw StoreError("operator_tokens: token " + std::to_string(row.integer(0)) + ": " + problem.what());
    }
}

}  // namespace

struct Operators::State {
    State(Store& database, store::IntentLog* log) : store(database), intents(log) {}

    Store& store;
    store::IntentLog* const intents;
    std::mutex changing;              ///< held through a change, database and memory, so that the two agree
    mutable std::shared_mutex mutex;  ///< guards `entries`; never held while the database works
    Entries entries;
    /// Revoked tokens that are still in the database, and where that is noted. Guarded by `mutex`.
    std::map<std::int64_t, std::optional<store::IntentLog::Place>> unwritten;
    std::function<void()> revoked;

    /// Takes a token out of memory. [with `mutex` held]
    void end(Entries::iterator entry);
    /// Tells of tokens that have been taken out. [without `mutex`]
    void tellRevoked() const;

    /// Stores `entry` and takes away the tokens `ended`, all or nothing. [with `changing` held]
    std::int64_t replace(const std::vector<Digest>& ended, Entry entry, const Digest& digest);

    [[nodiscard]] std::vector<Digest> localTokens() const;

    bool forget(std::int64_t id);
    void erase(std::int64_t id);
    void note(std::int64_t id);
    void loadNotes();
};

std::int64_t Operators::State::replace(const std::vector<Digest>& ended, Entry entry, const Digest& digest) {
    auto id = std::make_shared<std::int64_t>(0);
    store.write([ended, entry, digest, id](Transaction& transaction) {
        for (const Digest& old : ended) {
            transaction.execute("DELETE FROM operator_tokens WHERE digest = ?", {hex(old)});
        }
        *id = insertRow(transaction, entry, digest);
    });
    entry.token.id = *id;
    {
        const std::unique_lock lock(mutex);
        for (const Digest& old : ended) {
            end(entries.find(old));
        }
        entries.insert_or_assign(digest, std::move(entry));
    }
    if (!ended.empty()) {
        tellRevoked();
    }
    return *id;
}

void Operators::State::end(Entries::iterator entry) {
    entry->second.token.lease->revoked = true;
    entries.erase(entry);
}

void Operators::State::tellRevoked() const {
    if (revoked) {
        revoked();
    }
}

std::vector<Digest> Operators::State::localTokens() const {
    std::vector<Digest> local;
    const std::shared_lock lock(mutex);
    for (const auto& [digest, entry] : entries) {
        if (entry.localFile) {
            local.push_back(digest);
        }
    }
    return local;
}

/// Takes a token out of memory, so that it is of no use from here on. @return false if there is none.
/// @throws RequestError for the last of an admin
bool Operators::State::forget(std::int64_t id) {
    const std::lock_guard changes(changing);
    std::unique_lock lock(mutex);
    auto ended = entries.end();
    std::size_t admins = 0;
    for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
        admins += entry->second.token.role == Role::admin ? 1 : 0;
        ended = entry->second.token.id == id ? entry : ended;
    }
    if (ended == entries.end()) {
        return false;
    }
    if (ended->second.token.role == Role::admin && admins == 1) {
        throw conflict("last_admin", "this is the last admin token: create another before revoking it");
    }
    end(ended);
    lock.unlock();
    tellRevoked();
    return true;
}

/// Deletes a token's row, and then the note of it. @throws StoreError
void Operators::State::erase(std::int64_t id) {
    store.write([id](Transaction& transaction) {
        transaction.execute("DELETE FROM operator_tokens WHERE id = ?", {id});
    });
    const std::unique_lock lock(mutex);
    const auto found = unwritten.find(id);
    if (found == unwritten.end()) {
        return;
    }
    if (found->second) {
        intents->remove(*found->second);
    }
    unwritten.erase(found);
}

/// Remembers that a revoked token is still in the database, if possible beyond a crash.
void Operators::State::note(std::int64_t id) {
    std::optional<store::IntentLog::Place> place;
    {
        const std::shared_lock lock(mutex);
        const auto found = unwritten.find(id);
        place = found == unwritten.end() ? std::nullopt : found->second;
    }
    if (!place && intents != nullptr) {
        place = intents->add(kindOfNote, std::to_string(id));
    }
    const std::unique_lock lock(mutex);
    unwritten.insert_or_assign(id, place);
}

/// What an earlier run revoked and could not delete.
void Operators::State::loadNotes() {
    if (intents == nullptr) {
        return;
    }
    for (const auto& [place, text] : intents->notes(kindOfNote)) {
        std::int64_t id = 0;
        std::from_chars(text.data(), text.data() + text.size(), id);
        unwritten.insert_or_assign(id, place);
        std::erase_if(entries, [id](const auto& entry) { return entry.second.token.id == id; });
    }
}

Operators::Operators(Store& store, store::IntentLog* intents)
    : state_(std::make_unique<State>(store, intents)) {
    store.migrate("operator_tokens", migrations());
    for (const Row& row :
         store.query("SELECT id, name, user_id, role, digest, local_file, created_at FROM operator_tokens")) {
        state_->entries.insert(readRow(row));
    }
    state_->loadNotes();
}

Operators::~Operators() = default;

Operators::Created Operators::create(std::string name, std::string user, Role role) {
    const std::lock_guard changing(state_->changing);
    Created created{{0, std::move(name), std::move(user), role, now()}, newToken()};
    created.token.id = state_->replace({}, {created.token, false}, digest(created.secret));
    return created;
}

bool Operators::revoke(std::int64_t id) {
    if (!state_->forget(id)) {
        return false;
    }
    try {
        state_->erase(id);
    } catch (const StoreError&) {
        state_->note(id);
    }
    return true;
}

bool Operators::durable(std::int64_t id) const {
    const std::shared_lock lock(state_->mutex);
    const auto found = state_->unwritten.find(id);
    return found == state_->unwritten.end() || found->second;
}

void Operators::writeUnwritten() {
    std::vector<std::int64_t> ids;
    {
        const std::shared_lock lock(state_->mutex);
        for (const auto& [id, place] : state_->unwritten) {
            ids.push_back(id);
        }
    }
    for (const std::int64_t id : ids) {
        try {
            state_->erase(id);
        } catch (const StoreError&) {
            state_->note(id);
        }
    }
}

std::size_t Operators::unwritten() const {
    const std::shared_lock lock(state_->mutex);
    return state_->unwritten.size();
}

void Operators::onRevoked(std::function<void()> revoked) {
    state_->revoked = std::move(revoked);
}

std::vector<OperatorToken> Operators::list() const {
    std::vector<OperatorToken> tokens;
    {
        const std::shared_lock lock(state_->mutex);
        tokens.reserve(state_->entries.size());
        for (const auto& [digest, entry] : state_->entries) {
            tokens.push_back(entry.token);
        }
    }
    std::sort(tokens.begin(), tokens.end(),
              [](const OperatorToken& a, const OperatorToken& b) { return a.id < b.id; });
    return tokens;
}

std::optional<OperatorToken> Operators::find(const Digest& digest) const {
    const std::shared_lock lock(state_->mutex);
    const auto found = state_->entries.find(digest);
    return found == state_->entries.end() ? std::nullopt : std::optional(found->second.token);
}

bool Operators::ensureLocalToken(const std::string& file) {
    const std::lock_guard changing(state_->changing);
    const Entry local{{0, localName, localUser, Role::admin, now()}, true};
    if (const auto secret = readTokenFile(file)) {
        const Digest presented = digest(*secret);
        if (const auto known = find(presented)) {
            if (known->role != Role::admin) {
                fail(file, std::string("holds a token with the role ") + name(known->role) +
                               ", not admin: remove it, and a new token is written at the next start");
            }
            return false;
        }
        // A database without any token is a new one beside an old file: people who kept the token go on
        // using it. In any other the token was revoked, and must not come back.
        if (list().empty()) {
            state_->replace({}, local, presented);
            return false;
        }
    }
    const std::string secret = newToken();
    state_->replace(state_->localTokens(), local, digest(secret));
    writeTokenFile(file, secret);
    return true;
}

}  // namespace sallyport::host::auth
