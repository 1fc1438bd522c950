#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <sys/stat.h>

#include <Poco/String.h>

#include <sallyport/timestamp.h>

#include "host/doctor/checks.h"
#include "host/doctor/database.h"
#include "host/doctor/master_key.h"
#include "plugins/llm/key_reading.h"
#include "plugins/llm/provider.h"

namespace sallyport::host::doctor {

namespace {

using sallyport::plugins::llm::KeySource;
using sallyport::plugins::llm::Provider;

constexpr const char* check = "keys";
constexpr std::int64_t page = 100;
constexpr std::size_t namedAtMost = 3;

/// The secrets that the key does not open. @param all counts all of them.
std::vector<std::string> damagedSecrets(store::DatabaseFile& database,
                                        const sallyport::plugins::MasterKey& key, std::size_t& all) {
    std::vector<std::string> damaged;
    std::int64_t last = 0;
    for (;;) {
        const Rows rows = database.run(
            "SELECT id, user_id, name, encrypted_value, key_salt FROM secrets WHERE id > ? ORDER BY id LIMIT "
            "?",
            {last, page});
        for (const Row& row : rows) {
            last = row.integer(0);
            ++all;
            try {
                static_cast<void>(key.decrypt({row.bytes(3), row.bytes(4)}));
            } catch (const sallyport::plugins::DecryptionFailed&) {
                damaged.push_back(row.text(2) + " of user " + row.text(1));
            }
        }
        if (std::ssize(rows) < page) {
            return damaged;
        }
    }
}

void checkSecrets(store::DatabaseFile& database, const sallyport::plugins::MasterKey& key, Report& report) {
    std::size_t all = 0;
    std::vector<std::string> damaged = damagedSecrets(database, key, all);
    if (damaged.empty()) {
        if (all > 0) {
            report.ok(check, "all " + std::to_string(all) + " secrets can be decrypted");
        }
        return;
    }
    std::string names;
    for (std::size_t i = 0; i < damaged.size() && i < namedAtMost; ++i) {
        names += (i == 0 ? "" : ", ") + damaged[i];
    }
    report.fail(check, std::to_string(damaged.size()) + " of " + std::to_string(all) +
                           " secrets cannot be decrypted (" + names +
                           (damaged.size() > namedAtMost ? ", …" : "") +
                           "): set them anew (sallyport secret set) or delete them");
}

/// @return the key, if it is the one that the database wants.
std::optional<sallyport::plugins::MasterKey> checkMasterKey(const Subject& subject,
                                                            store::DatabaseFile& database, Report& report) {
    if (!subject.settingsOf("credentials")) {
        return std::nullopt;
    }
    MasterKeyFinding finding = findMasterKey(
        database, {.handedOver = subject.handedOver ? &*subject.handedOver : nullptr,
                   .handedOverUnseen = subject.handedOverUnseen,
                   .file = masterKeyFile(subject.configuration, subject.options.dataDirectory)});
    // The daemon may have it from where only it can see; if it has trouble, that was said.
    const auto told = subject.told("credentials");
    if (!told) {
        report.add(check, finding.verdict, finding.sentence);
    } else if (!client::optionalText(*told, "trouble")) {
        report.ok(check, "the daemon has the master key");
    }
    if (finding.key) {
        checkSecrets(database, *finding.key, report);
    }
    return std::move(finding.key);
}

std::string setting(const Provider& provider) {
    return "llm.provider." + provider.name + ".key";
}

/// What keeps the key from being used; empty if nothing does.
std::string problemWithFile(const Provider& provider) {
    const std::string& file = provider.key.name;
    std::ifstream input(file);
    std::string word;
    const WipedAtExit wiped(word);
    if (!input) {
        return file + " cannot be read by " + currentAccount().name + " (" +
               std::generic_category().message(errno) + "): put the key there, readable by that user";
    }
    if (!(input >> word)) {
        return file + " is empty: put the key there";
    }
    const std::string problem = problemWithKey(provider, word);
    return problem.empty() ? "" : "the key in " + file + " " + problem;
}

/// What is wrong with the key in the environment that a daemon would be started with from here.
std::string problemWithVariable(const Subject& subject, const Provider& provider) {
    const char* const key = subject.process ? nullptr : std::getenv(provider.key.name.c_str());
    return key == nullptr ? "" : problemWithKey(provider, key);
}

void checkVariable(const Subject& subject, const Provider& provider, Report& report) {
    const std::string& name = provider.key.name;
    const std::string advice = " (systemctl edit sallyport, with Environment= or EnvironmentFile=)";
    if (subject.variables && !subject.variables->contains(name)) {
        report.fail(check, setting(provider) + ": the daemon's environment has no " + name +
                               ": set it there and restart the daemon" + advice);
    } else if (const std::string problem = problemWithVariable(subject, provider); !problem.empty()) {
        report.fail(check, setting(provider) + ": the key in " + name + " " + problem);
    } else if (subject.variables || (!subject.process && std::getenv(name.c_str()) != nullptr)) {
        report.ok(check, setting(provider) + ": the key is there");
    } else {
        report.warn(check, setting(provider) + ": whether the daemon's environment has " + name +
                               " cannot be seen from here: see that it does" + advice);
    }
}

/// @param key opens the secret; null: only whether it is there can be seen.
std::string problemWithSecret(store::DatabaseFile& database, const sallyport::plugins::MasterKey* key,
                              const Provider& provider) {
    const KeySource& source = provider.key;
    const std::string name = Poco::toLower(source.name);
    const std::string which = "the secret " + name + " of user " + source.user;
    const std::string set = "run sallyport secret set --user " + source.user + " " + name;
    const Rows rows = database.run("SELECT 1 FROM sqlite_schema WHERE name = 'secrets'").empty()
                          ? Rows()
                          : database.run(
                                "SELECT expires_at, encrypted_value, key_salt FROM secrets WHERE "
                                "user_id = ? AND name = ?",
                                {source.user, name});
    if (rows.empty()) {
        return which + " is not there: " + set;
    }
    const auto expires = rows.front().optionalInteger(0);
    if (expires && *expires <= now().time_since_epoch().count()) {
        return which + " has expired: " + set;
    }
    if (key == nullptr || provider.type == sallyport::plugins::llm::ProviderType::echo) {
        return "";
    }
    try {
        static_cast<void>(usableKey(provider, key->decrypt({rows.front().bytes(1), rows.front().bytes(2)})));
    } catch (const sallyport::plugins::DecryptionFailed&) {
        return "";  // which was said of all secrets
    } catch (const sallyport::plugins::llm::NoKey& problem) {
        return which + " cannot be used: " + problem.what();
    }
    return "";
}

void warnIfOthersRead(const Provider& provider, Report& report) {
    struct stat status {};
    if (::stat(provider.key.name.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0) {
        report.warn(check, setting(provider) + ": everybody can read " + provider.key.name +
                               ": run chmod o-r " + provider.key.name);
    }
}

void checkProvider(const Subject& subject, const Provider& provider, store::DatabaseFile& database,
                   const sallyport::plugins::MasterKey* key, Report& report) {
    std::string problem;
    switch (provider.key.kind) {
        case KeySource::Kind::none:
            return;
        case KeySource::Kind::environment:
            checkVariable(subject, provider, report);
            return;
        case KeySource::Kind::file:
            problem = problemWithFile(provider);
            warnIfOthersRead(provider, report);
            break;
        case KeySource::Kind::secret:
            problem = problemWithSecret(database, key, provider);
            break;
    }
    if (problem.empty()) {
        report.ok(check, setting(provider) + ": the key is there");
    } else {
        report.fail(check, setting(provider) + ": " + problem);
    }
}

}  // namespace

void checkKeys(const Subject& subject, Report& report) {
    std::error_code unseen;
    if (!subject.asDaemon() || !std::filesystem::exists(subject.options.database.file, unseen)) {
        return;  // which was said
    }
    store::DatabaseFile database(subject.options.database.file, accessTo(subject));
    database.run("BEGIN");  // all that is read is of one moment
    const auto key = checkMasterKey(subject, database, report);
    const auto settings = subject.settingsOf("llm");
    if (!settings) {
        return;
    }
    try {
        for (const Provider& provider : sallyport::plugins::llm::readProviders(*settings)) {
            checkProvider(subject, provider, database, key ? &*key : nullptr, report);
        }
    } catch (const std::invalid_argument&) {
        // Said of the configuration.
    }
}

}  // namespace sallyport::host::doctor
