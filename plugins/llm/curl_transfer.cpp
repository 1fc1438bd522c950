#include "curl_transfer.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <stdexcept>
#include <utility>

namespace sallyport::plugins::llm {

namespace {

/// A conversation should not take many turns of the loop to go out.
constexpr long uploadBuffer = 256L * 1024;

void check(CURLcode result) {
    if (result != CURLE_OK) {
        throw std::runtime_error(curl_easy_strerror(result));
    }
}

CURL* newHandle() {
    CURL* const easy = curl_easy_init();
    if (easy == nullptr) {
        throw std::runtime_error("libcurl has no handle to give");
    }
    return easy;
}

std::string textInfo(CURL* easy, CURLINFO info) {
    const char* text = nullptr;
    check(curl_easy_getinfo(easy, info, &text));
    return text == nullptr ? "" : text;
}

/// The variables libcurl asks for. Where there are none it is spared asking at each call.
bool environmentHasProxy() {
    const auto names = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    return std::any_of(names.begin(), names.end(),
                       [](const char* variable) { return std::getenv(variable) != nullptr; });
}

std::string lowerCase(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return lower;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return text.substr(0, text.find_last_not_of(blanks) + 1);
}

UpstreamProblem problemOf(CURLcode result) {
    switch (result) {
        case CURLE_OK:
            return UpstreamProblem::none;
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
            return UpstreamProblem::resolve;
        case CURLE_COULDNT_CONNECT:
        case CURLE_PROXY:
            return UpstreamProblem::connect;
        case CURLE_OPERATION_TIMEDOUT:
            // The only limit that is left to libcurl is its own, of five minutes for connecting.
            return UpstreamProblem::connectTimeout;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_ENGINE_INITFAILED:
        case CURLE_SSL_INVALIDCERTSTATUS:
        case CURLE_SSL_ISSUER_ERROR:
            return UpstreamProblem::tls;
        default:
            return UpstreamProblem::broken;
    }
}

}  // namespace

CurlTransfer::CurlTransfer(TransferOwner& owner)
    : owner_(owner),
      easy_(newHandle()),
      systemCaFile_(textInfo(easy_, CURLINFO_CAINFO)),
      systemCaPath_(textInfo(easy_, CURLINFO_CAPATH)) {
    setConstants();
}

CurlTransfer& CurlTransfer::of(CURL* easy) {
    char* self = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
    return *reinterpret_cast<CurlTransfer*>(self);
}

void CurlTransfer::setConstants() {
    const auto set = [this](CURLoption option, auto value) { check(curl_easy_setopt(easy_, option, value)); };
    set(CURLOPT_PRIVATE, static_cast<void*>(this));
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_HEADERFUNCTION, &CurlTransfer::onHeaderLine);
    set(CURLOPT_HEADERDATA, static_cast<void*>(this));
    set(CURLOPT_WRITEFUNCTION, &CurlTransfer::onData);
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    set(CURLOPT_PREREQFUNCTION, &CurlTransfer::onConnected);
    set(CURLOPT_PREREQDATA, static_cast<void*>(this));
    // The sockets outlive the transfer in the pool of connections, so these get what outlives it too.
    set(CURLOPT_OPENSOCKETFUNCTION, &CurlTransfer::onOpenSocket);
    set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&owner_));
    set(CURLOPT_CLOSESOCKETFUNCTION, &CurlTransfer::onCloseSocket);
    set(CURLOPT_CLOSESOCKETDATA, static_cast<void*>(&owner_));

    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_TCP_NODELAY, 1L);
    set(CURLOPT_UPLOAD_BUFFERSIZE, uploadBuffer);
    set(CURLOPT_NOSIGNAL, 1L);
    // A lookup that is no longer wanted is left to end by itself, where libcurl would wait for it.
    set(CURLOPT_QUICK_EXIT, 1L);
    // Nothing compressed is asked for; what comes compressed all the same is decoded.
    set(CURLOPT_ACCEPT_ENCODING, "identity");
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!environmentHasProxy()) {
        set(CURLOPT_PROXY, "");
    }
}

void CurlTransfer::begin(Upstream::Id id, UpstreamRequest request,
                         std::shared_ptr<UpstreamListener> listener) {
    id_ = id;
    request_ = std::move(request);
    listener_ = std::move(listener);
    error_[0] = '\0';
    sent_ = 0;
    inHead_ = false;
    received_ = 0;
    paused_ = false;
    held_ = false;
    failure_ = {};

    check(curl_easy_setopt(easy_, CURLOPT_URL, request_.url.c_str()));
    setMethod();
    setRoute();
    check(curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headerLines_.assign(request_)));
    began_ = std::chrono::steady_clock::now();
    enter(Phase::connecting);
}

void CurlTransfer::setMethod() {
    const bool post = request_.body || request_.method == "POST";
    if (post) {
        const std::string_view body = request_.body ? std::string_view(*request_.body) : "";
        check(curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size())));
        check(curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, body.data()));
    } else {
        check(curl_easy_setopt(easy_, CURLOPT_HTTPGET, 1L));
    }
    const std::string custom = request_.method == (post ? "POST" : "GET") ? "" : request_.method;
    if (custom != customMethod_) {
        check(curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, custom.empty() ? nullptr : custom.c_str()));
        customMethod_ = custom;
    }
}

void CurlTransfer::setRoute() {
    const Endpoint& endpoint = request_.endpoint;
    if (endpoint.caFile != caFile_) {
        const bool own = !endpoint.caFile.empty();
        const std::string& file = own ? endpoint.caFile : systemCaFile_;
        const bool directory = !own && !systemCaPath_.empty();
        check(curl_easy_setopt(easy_, CURLOPT_CAINFO, file.empty() ? nullptr : file.c_str()));
        check(curl_easy_setopt(easy_, CURLOPT_CAPATH, directory ? systemCaPath_.c_str() : nullptr));
        caFile_ = endpoint.caFile;
    }
    if (endpoint.proxy != proxy_) {
        // A proxy that was named for this server is not for `no_proxy` to overrule.
        const bool own = !endpoint.proxy.empty();
        const char* const environment = environmentHasProxy() ? nullptr : "";
        check(curl_easy_setopt(easy_, CURLOPT_PROXY, own ? endpoint.proxy.c_str() : environment));
        check(curl_easy_setopt(easy_, CURLOPT_NOPROXY, own ? "" : nullptr));
        proxy_ = endpoint.proxy;
    }
}

std::shared_ptr<UpstreamListener> CurlTransfer::end() {
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, nullptr);
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, nullptr);
    headerLines_.clear();
    request_ = {};
    id_ = 0;
    return std::move(listener_);
}

std::optional<Outcome> CurlTransfer::resume() {
    if (!std::exchange(paused_, false)) {
        return std::nullopt;
    }
    enter(phase_);
    if (!std::exchange(held_, false)) {
        return std::nullopt;
    }
    // What was held back is handed over within this call. Where that fails only this call says so.
    const CURLcode result = curl_easy_pause(easy_, CURLPAUSE_CONT);
    return result == CURLE_OK ? std::nullopt : std::optional(outcome(result));
}

void CurlTransfer::enter(Phase phase) {
    phase_ = phase;
    lastProgress_ = std::chrono::steady_clock::now();
    owner_.lookBy(deadline());
}

std::chrono::milliseconds CurlTransfer::limit() const {
    switch (phase_) {
        case Phase::connecting:
            return request_.endpoint.connect;
        case Phase::waiting:
            return request_.endpoint.firstByte;
        case Phase::receiving:
            return request_.endpoint.idle;
    }
    return {};
}

CurlTransfer::Time CurlTransfer::deadline() const {
    Time earliest = Time::max();
    if (request_.endpoint.total.count() > 0) {
        earliest = began_ + request_.endpoint.total;
    }
    if (!paused_ && limit().count() > 0) {
        earliest = std::min(earliest, lastProgress_ + limit());
    }
    return earliest;
}

std::optional<Outcome> CurlTransfer::overdue(Time now) {
    const auto total = request_.endpoint.total;
    if (total.count() > 0 && now >= began_ + total) {
        return Outcome{UpstreamProblem::totalTimeout,
                       "not done within " + std::to_string(total.count()) + " ms"};
    }
    if (now < deadline()) {
        return std::nullopt;
    }
    const std::string time = std::to_string(limit().count()) + " ms";
    switch (phase_) {
        case Phase::connecting:
            return Outcome{UpstreamProblem::connectTimeout, "no connection within " + time};
        case Phase::waiting:
            if (stillSending()) {
                lastProgress_ = now;
                return std::nullopt;
            }
            return Outcome{UpstreamProblem::firstByteTimeout, "no answer within " + time};
        case Phase::receiving:
            break;
    }
    return Outcome{UpstreamProblem::idleTimeout, "nothing more for " + time};
}

bool CurlTransfer::stillSending() {
    curl_off_t sent = 0;
    curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &sent);
    return sent > std::exchange(sent_, sent);
}

Outcome CurlTransfer::outcome(CURLcode result) const {
    if (failure_.problem != UpstreamProblem::none) {
        return failure_;
    }
    if (result == CURLE_OK) {
        return phase_ == Phase::receiving ? Outcome{} : Outcome{UpstreamProblem::broken, "there was no head"};
    }
    const UpstreamProblem problem = problemOf(result);
    // A connection cannot break before there is one: this was the proxy.
    const bool noConnection = phase_ == Phase::connecting && problem == UpstreamProblem::broken;
    return {noConnection ? UpstreamProblem::connect : problem,
            error_[0] != '\0' ? error_.data() : curl_easy_strerror(result)};
}

int CurlTransfer::onConnected(void* self, char*, char*, int, int) {
    static_cast<CurlTransfer*>(self)->enter(Phase::waiting);
    return CURL_PREREQFUNC_OK;
}

template <class F>
std::size_t CurlTransfer::taken(std::size_t size, F take) {
    try {
        take();
    } catch (const std::exception& error) {
        failure_ = {UpstreamProblem::cancelled, std::string("the listener threw: ") + error.what()};
    } catch (...) {
        failure_ = {UpstreamProblem::cancelled, "the listener threw"};
    }
    return failure_.problem == UpstreamProblem::none ? size : CURL_WRITEFUNC_ERROR;
}

std::size_t CurlTransfer::onHeaderLine(char* data, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<CurlTransfer*>(self);
    return transfer.taken(size, [&] { transfer.headerLine({data, size}); });
}

std::size_t CurlTransfer::onData(char* data, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<CurlTransfer*>(self);
    if (transfer.paused_) {
        transfer.held_ = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    return transfer.taken(size, [&] { transfer.piece({data, size}); });
}

void CurlTransfer::headerLine(std::string_view line) {
    if (phase_ == Phase::receiving) {
        return;  // a trailer
    }
    if (!inHead_) {
        inHead_ = true;  // with the status line, which libcurl has read
        head_.headers.clear();
        return;
    }
    const std::string_view text = trimmed(line);
    if (text.empty()) {
        inHead_ = false;
        headComplete();
    } else if (const auto colon = text.find(':');
               (line.front() == ' ' || line.front() == '\t') || colon == std::string_view::npos) {
        // What a header was continued with in the days when that was allowed.
        if (!head_.headers.empty()) {
            head_.headers.back().second.append(" ").append(text);
        }
    } else {
        head_.headers.emplace_back(lowerCase(text.substr(0, colon)), trimmed(text.substr(colon + 1)));
    }
}

void CurlTransfer::headComplete() {
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) {
        return;  // there is another one to come
    }
    head_.status = static_cast<int>(status);
    std::erase_if(head_.headers,
                  [encoded = std::any_of(head_.headers.begin(), head_.headers.end(), [](const auto& header) {
                       return header.first == "content-encoding";
                   })](const auto& header) {
                      return encoded &&
                             (header.first == "content-encoding" || header.first == "content-length");
                  });
    enter(Phase::receiving);
    listener_->onHead(head_);
}

void CurlTransfer::piece(std::string_view data) {
    lastProgress_ = std::chrono::steady_clock::now();
    received_ += data.size();
    if (received_ > request_.endpoint.maxResponse) {
        failure_ = {UpstreamProblem::tooLarge,
                    "more than " + std::to_string(request_.endpoint.maxResponse) + " bytes"};
        return;
    }
    listener_->onBody(data);
}

curl_socket_t CurlTransfer::onOpenSocket(void* owner, curlsocktype, curl_sockaddr* address) {
    return static_cast<TransferOwner*>(owner)->openSocket(*address);
}

int CurlTransfer::onCloseSocket(void* owner, curl_socket_t descriptor) {
    static_cast<TransferOwner*>(owner)->closeSocket(descriptor);
    return 0;
}

}  // namespace sallyport::plugins::llm
