// Requests to the worker door's proxy.
#pragma once

#include <sallyport/call.h>

#include "host/auth/token.h"
#include "host/http/request_head.h"

namespace sallyport::host::http {

/// The header fields that go on to the target (RFC 9110 section 7.6.1): without those of the connection to
/// the proxy, without what authenticates to the proxy, without what frames the content, and with the `host`
/// that the target names. [any thread]
[[nodiscard]] Call::Pairs forwardedFields(Call::Pairs fields, const ProxyTarget& target);

/// Whether the token with that digest would go on to the target, in a field, the path or the query. [any
/// thread]
[[nodiscard]] bool givesTokenAway(const RequestHead& head, const auth::Digest& token);

}  // namespace sallyport::host::http
