#include "secret_refusal.h"

#include <string_view>

namespace sallyport::plugins {

const char* refusalOf(const std::optional<StoredSecret>& stored, Timestamp at) {
    if (!stored) {
        return refusal::missing;
    }
    return stored->info.expiresAt && *stored->info.expiresAt <= at ? refusal::expired : nullptr;
}

RequestError refusedSecret(const char* word) {
    const std::string_view problem = word;
    if (problem == refusal::missing) {
        return {404, "secret_missing", "there is no such secret"};
    }
    if (problem == refusal::expired) {
        return {409, "secret_expired", "the secret has expired"};
    }
    if (problem == refusal::damaged) {
        return {500, "secret_damaged", "the secret cannot be decrypted"};
    }
    return unavailable("vault_sealed", "the secret store is sealed: the daemon's log says why");
}

}  // namespace sallyport::plugins
