// One call on one of libcurl's easy handles.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <curl/curl.h>

#include "header_lines.h"
#include "upstream.h"

namespace sallyport::plugins::llm {

/// What a loop's transfers have in common, and whom they tell. [the loop's thread]
class TransferOwner {
public:
    using Time = std::chrono::steady_clock::time_point;

    virtual ~TransferOwner() = default;

    /// A transfer wants to be asked for its problem by that time.
    virtual void lookBy(Time time) = 0;
    /// libcurl wants a socket, or has done with it. -1 when there is none.
    virtual int openSocket(const curl_sockaddr& address) = 0;
    virtual void closeSocket(int descriptor) = 0;
};

/// How a call ended.
struct Outcome {
    UpstreamProblem problem = UpstreamProblem::none;
    std::string detail;
};

/// An easy handle and the call it serves, one after another: a handle costs more than most calls do, and
/// setting it up anew more than to change what differs. [the loop's thread]
class CurlTransfer {
public:
    using Time = TransferOwner::Time;

    /// @throws std::runtime_error when libcurl has no memory.
    explicit CurlTransfer(TransferOwner& owner);
    ~CurlTransfer() { curl_easy_cleanup(easy_); }
    CurlTransfer(const CurlTransfer&) = delete;
    CurlTransfer& operator=(const CurlTransfer&) = delete;

    [[nodiscard]] static CurlTransfer& of(CURL* easy);

    /// Sets the handle up for a request that has been checked. @throws std::runtime_error
    void begin(Upstream::Id id, UpstreamRequest request, std::shared_ptr<UpstreamListener> listener);
    /// Forgets the call; the handle must not be in a multi handle any more. @return its listener.
    std::shared_ptr<UpstreamListener> end();

    [[nodiscard]] CURL* easy() const noexcept { return easy_; }
    [[nodiscard]] Upstream::Id id() const noexcept { return id_; }

    void pause() { paused_ = true; }
    /// @return how the call ended, if what had been held back ended it.
    std::optional<Outcome> resume();

    /// When to ask for `overdue` again.
    [[nodiscard]] Time deadline() const;
    /// The time-out that has come to pass, if any.
    [[nodiscard]] std::optional<Outcome> overdue(Time now);
    /// What libcurl's own result amounts to.
    [[nodiscard]] Outcome outcome(CURLcode result) const;

private:
    enum class Phase { connecting, waiting, receiving };

    static int onConnected(void* self, char*, char*, int, int);
    static std::size_t onHeaderLine(char* data, std::size_t one, std::size_t size, void* self);
    static std::size_t onData(char* data, std::size_t one, std::size_t size, void* self);
    static curl_socket_t onOpenSocket(void* owner, curlsocktype, curl_sockaddr* address);
    static int onCloseSocket(void* owner, curl_socket_t descriptor);

    void setConstants();
    void setMethod();
    void setRoute();
    void enter(Phase phase);
    void headerLine(std::string_view line);
    void headComplete();
    void piece(std::string_view data);
    /// What libcurl is to be told of bytes that were handed to `take`, whose exceptions must not pass
    /// through it.
    template <class F>
    std::size_t taken(std::size_t size, F take);
    [[nodiscard]] std::chrono::milliseconds limit() const;
    [[nodiscard]] bool stillSending();

    TransferOwner& owner_;
    CURL* const easy_;
    std::array<char, CURL_ERROR_SIZE> error_{};
    HeaderLines headerLines_;

    // What the handle was last told of things that seldom change.
    std::string customMethod_;
    std::string caFile_;
    std::string proxy_;
    const std::string systemCaFile_;
    const std::string systemCaPath_;

    // The call.
    Upstream::Id id_ = 0;
    UpstreamRequest request_;
    std::shared_ptr<UpstreamListener> listener_;
    Phase phase_ = Phase::connecting;
    Time began_;
    Time lastProgress_;
    curl_off_t sent_ = 0;
    UpstreamHead head_;
    bool inHead_ = false;
    std::size_t received_ = 0;
    bool paused_ = false;
    bool held_ = false;  ///< libcurl keeps a piece back
    Outcome failure_;    ///< why a callback ended the transfer
};

}  // namespace sallyport::plugins::llm
