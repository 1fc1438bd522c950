// The master key of the secrets, as far as it can be seen beside the daemon.
#pragma once

#include <optional>
#include <string>

#include <sallyport/secret_text.h>

#include "host/config/configuration.h"
#include "host/doctor/report.h"
#include "host/store/database_file.h"

// The plugin's own code, so that the doctor and the daemon can never disagree about a key.
#include "plugins/credentials/cipher.h"

namespace sallyport::host::doctor {

/// Where the daemon takes the key from, the first that is there.
struct MasterKeyPlaces {
    const SecretText* handedOver = nullptr;  ///< by systemd; null: none that could be seen
    bool handedOverUnseen = false;           ///< by systemd, perhaps, in a way that cannot be seen from here
    std::string file;
};

struct MasterKeyFinding {
    Verdict verdict;
    std::string sentence;
    std::optional<sallyport::plugins::MasterKey> key{};  ///< if it is the one that the database wants
};

/// The file that the key is kept in unless it is handed over.
[[nodiscard]] std::string masterKeyFile(const config::Configuration& configuration,
                                        const std::string& dataDirectory);

/// @throws store::EngineError
[[nodiscard]] MasterKeyFinding findMasterKey(store::DatabaseFile& database, const MasterKeyPlaces& places);

}  // namespace sallyport::host::doctor
