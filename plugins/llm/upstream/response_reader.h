// Takes an answer off the wire.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "upstream.h"

namespace sallyport::plugins::llm {

/// Hears what an answer is made of. What its functions throw comes out of ResponseReader::feed.
class ResponseSink {
public:
    virtual ~ResponseSink() = default;

    /// The final head, once; provisional ones (1xx) are left out.
    virtual void onResponseHead(UpstreamHead head) = 0;
    /// Content without its chunking.
    virtual void onContent(std::string_view piece) = 0;
    /// Whether there may be another call.
    [[nodiscard]] virtual bool wantsMore() const = 0;
};

/// Reads one answer to a request that was neither HEAD nor CONNECT (RFC 9112), with Boost.Beast's parser.
/// After an exception it must not be used. [one thread at a time]
class ResponseReader {
public:
    enum class Expect {
        content,   ///< with what the head announces
        headOnly,  ///< nothing after the head: this is an answer to CONNECT
    };

    explicit ResponseReader(ResponseSink& sink, Expect expect = Expect::content);
    ~ResponseReader();
    ResponseReader(const ResponseReader&) = delete;
    ResponseReader& operator=(const ResponseReader&) = delete;

    /// Takes from what has come as much as makes sense and the sink wants; the rest has to be given again,
    /// with more behind it.
    /// @param input in which control characters of the head are overwritten with blanks (RFC 9110 section
    ///              5.5).
    /// @return bytes taken.
    std::size_t feed(std::span<char> input);

    /// Nothing more will come: that is the end of an answer that is as long as its connection, and a problem
    /// otherwise.
    void end();

    /// All of it was there.
    [[nodiscard]] bool complete() const noexcept { return complete_; }
    /// What is wrong with it; empty so far.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    /// Whether the server will take another request on this connection, once the answer is complete.
    [[nodiscard]] bool keepsConnection() const noexcept { return complete_ && keeps_; }

private:
    class Parser;

    void step(std::span<char>& input, bool& more);
    void messageDone();

    ResponseSink& sink_;
    const Expect expect_;
    std::unique_ptr<Parser> parser_;
    std::size_t heads_ = 0;  ///< bytes of them, provisional ones and the final one
    bool complete_ = false;
    bool keeps_ = false;
    std::string problem_;
};

}  // namespace sallyport::plugins::llm
