#include <utility>

#include <sallyport/errors.h>

namespace sallyport {

RequestError::RequestError(int status, std::string code, const std::string& message)
    : std::runtime_error(message), status_(status), code_(std::move(code)) {}

RequestError::~RequestError() = default;

RequestError& RequestError::retryAfter(std::chrono::seconds delay) {
    retryAfter_ = delay;
    return *this;
}

RequestError badRequest(const std::string& message) {
    return {400, "bad_request", message};
}

RequestError forbidden(const std::string& message) {
    return {403, "forbidden", message};
}

RequestError lacksPermission(std::string_view permission, std::string_view what) {
    return forbidden(std::string(what) + " needs the permission '" + std::string(permission) +
                     "', which the token's role does not have");
}

RequestError notFound(const std::string& message) {
    return {404, "not_found", message};
}

RequestError conflict(std::string code, const std::string& message) {
    return {409, std::move(code), message};
}

RequestError tooLarge(const std::string& message) {
    return {413, "too_large", message};
}

RequestError invalidField(std::string_view field, const std::string& problem) {
    return {422, "invalid_field", "field '" + std::string(field) + "' " + problem};
}

RequestError unavailable(std::string code, const std::string& message) {
    return {503, std::move(code), message};
}

StoreError::StoreError(std::string detail)
    : RequestError(503, "storage_unavailable", "the storage is not available at the moment"),
      detail_(std::move(detail)) {}

StoreError::~StoreError() = default;

}  // namespace sallyport
