#include "host/doctor/master_key.h"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace sallyport::host::doctor {

namespace {

using sallyport::plugins::KeyCheck;
using sallyport::plugins::MasterKey;

constexpr const char* variable = "SALLYPORT_MASTER_KEY";
constexpr std::size_t longestKey = 4096;

/// By which the database knows its key; nothing if none has been used with it.
std::optional<KeyCheck> checkIn(store::DatabaseFile& database) {
    if (database.run("SELECT 1 FROM sqlite_schema WHERE name = 'secrets_key_check'").empty()) {
        return std::nullopt;
    }
    const Rows rows = database.run("SELECT value, salt FROM secrets_key_check");
    return rows.empty() ? std::nullopt
                        : std::optional(KeyCheck{rows.front().bytes(0), rows.front().bytes(1)});
}

std::string_view withoutLineEnd(std::string_view text) {
    for (const char end : {'\n', '\r'}) {
        if (text.ends_with(end)) {
            text.remove_suffix(1);
        }
    }
    return text;
}

/// A place that the daemon would take the key from.
struct Place {
    std::string name;
    SecretText text;
};

/// @throws std::runtime_error for a file that is there and cannot be read.
std::optional<Place> inFile(const std::string& file) {
    errno = 0;
    std::ifstream input(file, std::ios::binary);
    if (!input) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        throw std::runtime_error(std::generic_category().message(errno));
    }
    SecretText buffer(longestKey + 1);
    input.read(buffer.bytes().data(), static_cast<std::streamsize>(buffer.size()));
    return Place{file,
                 SecretText::copyOf(buffer.reveal().substr(0, static_cast<std::size_t>(input.gcount())))};
}

std::optional<Place> inEnvironment() {
    const char* const value = std::getenv(variable);
    if (value == nullptr || *value == '\0') {
        return std::nullopt;
    }
    return Place{std::string("the environment variable ") + variable, SecretText::copyOf(value)};
}

/// @throws std::invalid_argument when it is too short or too long to be one.
MasterKey keyIn(const Place& place) {
    if (place.text.size() > longestKey) {
        throw std::invalid_argument("has more than " + std::to_string(longestKey) + " bytes");
    }
    return MasterKey(SecretText::copyOf(withoutLineEnd(place.text.reveal())));
}

MasterKeyFinding judge(const Place& place, const std::optional<KeyCheck>& check) {
    try {
        MasterKey key = keyIn(place);
        if (!check) {
            return {Verdict::ok, "the master key in " + place.name + " will be used"};
        }
        if (key.matches(*check)) {
            return {Verdict::ok, "the master key in " + place.name + " is the right one", std::move(key)};
        }
        return {Verdict::failed,
                "the master key in " + place.name +
                    " is not the one that the secrets were encrypted with: put that one there"};
    } catch (const std::invalid_argument& problem) {
        return {Verdict::failed,
                "the master key in " + place.name + " " + problem.what() + ": put the right one there"};
    }
}

MasterKeyFinding judgeAbsence(const std::optional<KeyCheck>& check, const std::string& file) {
    if (!check) {
        return {Verdict::ok, "there is no master key yet; the first start makes one in " + file};
    }
    return {Verdict::failed,
            "there is no master key, and the secrets are encrypted with one: put it back into " + file +
                " (mode 0600), or hand it over as the systemd credential sallyport-master-key"};
}

/// What is to be found without systemd.
MasterKeyFinding judgeOwn(const std::optional<KeyCheck>& check, const std::string& file) {
    try {
        if (const auto present = inFile(file)) {
            // While the key is being changed there are two files, and the daemon takes the one that fits.
            const auto next = inFile(file + ".new");
            MasterKeyFinding finding = judge(*present, check);
            return finding.key || !next || !check ? std::move(finding) : judge(*next, check);
        }
    } catch (const std::runtime_error& problem) {
        return {Verdict::failed, "the master key file " + file + " cannot be read (" + problem.what() +
                                     "): give it to the daemon's user, mode 0600"};
    }
    const auto given = inEnvironment();
    return given ? judge(*given, check) : judgeAbsence(check, file);
}

}  // namespace

std::string masterKeyFile(const config::Configuration& configuration, const std::string& dataDirectory) {
    static constexpr Setting setting{"master_key_file", SettingKind::text, "", ""};
    const std::string named = configuration.settings("credentials", {&setting, 1})->text(setting.key);
    return named.empty() ? dataDirectory + "/credentials.key" : named;
}

MasterKeyFinding findMasterKey(store::DatabaseFile& database, const MasterKeyPlaces& places) {
    const std::optional<KeyCheck> check = checkIn(database);
    if (places.handedOver != nullptr) {
        return judge(
            {"the systemd credential sallyport-master-key", SecretText::copyOf(places.handedOver->reveal())},
            check);
    }
    MasterKeyFinding finding = judgeOwn(check, places.file);
    if (finding.verdict == Verdict::failed && places.handedOverUnseen) {
        finding.verdict = Verdict::warning;
        finding.sentence += "; systemd may hand over the right one, which shows when the daemon runs";
    }
    return finding;
}

}  // namespace sallyport::host::doctor
