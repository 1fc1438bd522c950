// Undoes the compression of an answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace sallyport::plugins::llm {

/// Decodes gzip and deflate (RFC 9110 section 8.4.1) as it comes. [one thread at a time]
class ContentDecoder {
public:
    /// @param coding of a Content-Encoding header.
    /// @return null for one that is not known.
    [[nodiscard]] static std::unique_ptr<ContentDecoder> of(std::string_view coding);
    /// Whether it stands for no coding at all.
    [[nodiscard]] static bool isIdentity(std::string_view coding);

    ~ContentDecoder();
    ContentDecoder(const ContentDecoder&) = delete;
    ContentDecoder& operator=(const ContentDecoder&) = delete;

    /// Takes what came, to be decoded by `decode`.
    void add(std::string_view piece);

    /// Hands on what has been decoded, a piece at a time, until there is no more or `wantsMore` says no.
    /// @return false if it cannot be decoded.
    [[nodiscard]] bool decode(const std::function<void(std::string_view)>& handOn,
                              const std::function<bool()>& wantsMore);

    /// Whether all that was added has been decoded and handed on.
    [[nodiscard]] bool idle() const noexcept { return input_.empty() && !pending_; }
    /// Whether nothing is missing at its end, as in nothing at all.
    [[nodiscard]] bool complete() const noexcept { return atEnd_ || !begun_; }

private:
    struct Stream;

    ContentDecoder();

    std::unique_ptr<Stream> stream_;
    std::string input_;
    bool begun_ = false;
    bool pending_ = false;  ///< zlib may have more to give for what it has taken
    bool atEnd_ = false;
};

}  // namespace sallyport::plugins::llm
