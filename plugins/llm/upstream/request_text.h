// A request's bytes up to its body.
#pragma once

#include <sallyport/secret_text.h>

#include "route.h"
#include "upstream.h"

namespace sallyport::plugins::llm {

/// Whether a request can be sent as it is. A header that decides where a message ends, who it is for or what
/// becomes of the connection is not the caller's to give: content-length, transfer-encoding, host,
/// connection, expect, te, trailer, upgrade, keep-alive, proxy-connection and proxy-authorization.
/// The address is for Url to look at.
/// @throws std::invalid_argument with a sentence that does not repeat the header's value.
void checkRequest(const UpstreamRequest& request);

/// The head of a request that has been checked (RFC 9112 sections 3 and 5), the key in it.
[[nodiscard]] SecretText requestHead(const UpstreamRequest& request, const Url& url, const Route& route);

}  // namespace sallyport::plugins::llm
