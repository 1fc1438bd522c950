// The header lines of a request, as libcurl takes them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <curl/curl.h>

#include "upstream.h"

namespace sallyport::plugins::llm {

/// Whether a request can be sent as it is. A header that decides where a message ends, who it is for or what
/// becomes of the connection is not the caller's to give: content-length, transfer-encoding, host,
/// connection, expect, te, trailer, upgrade, keep-alive, proxy-connection and proxy-authorization.
/// @throws std::invalid_argument with a sentence that does not repeat the header's value.
void checkRequest(const UpstreamRequest& request);

/// A list for CURLOPT_HTTPHEADER in memory of its own, since the key would be left lying about in a list that
/// libcurl made. [one thread at a time]
class HeaderLines {
public:
    HeaderLines() = default;
    ~HeaderLines() { clear(); }
    HeaderLines(const HeaderLines&) = delete;
    HeaderLines& operator=(const HeaderLines&) = delete;

    /// The headers of a request that has been checked. Valid until the next call.
    [[nodiscard]] curl_slist* assign(const UpstreamRequest& request);
    /// Wipes them.
    void clear() noexcept;

private:
    void add(std::string_view line);

    std::string text_;  ///< the lines, each with a NUL at its end
    std::vector<curl_slist> nodes_;
};

}  // namespace sallyport::plugins::llm
