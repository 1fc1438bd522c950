// Text that must not be left lying about.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sallyport {

/// A secret's plaintext. It is moved and never copied, overwritten when it goes away, and turned by
/// itself into nothing that could be logged, streamed or joined to other text: whoever wants the text
/// writes `reveal()`, and can be found by that word. [one thread at a time]
class SecretText {
public:
    SecretText() noexcept = default;
    /// `size` zero bytes, to be filled through `bytes()`.
    explicit SecretText(std::size_t size);
    ~SecretText();

    /// Leaves `other` empty.
    SecretText(SecretText&& other) noexcept;
    /// Overwrites what this had, and leaves `other` empty.
    SecretText& operator=(SecretText&& other) noexcept;
    SecretText(const SecretText&) = delete;
    SecretText& operator=(const SecretText&) = delete;

    /// A copy; `text` is left as it is.
    [[nodiscard]] static SecretText copyOf(std::string_view text);
    /// Takes the text over; `text` is overwritten and left empty.
    [[nodiscard]] static SecretText taken(std::string& text);

    /// The text, for as long as this lives and is not moved. Do not copy it into a std::string that is not
    /// wiped afterwards.
    [[nodiscard]] std::string_view reveal() const& noexcept { return {text_.get(), size_}; }
    std::string_view reveal() const&& = delete;

    /// The same, to be written to.
    [[nodiscard]] std::span<char> bytes() & noexcept { return {text_.get(), size_}; }

    /// Bytes.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Whether there is no text.
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    template <class Stream>
    friend Stream& operator<<(Stream& stream, const SecretText& text) = delete;

private:
    std::unique_ptr<char[]> text_;
    std::size_t size_ = 0;
};

/// Overwrites all that the string ever held in its present memory, and empties it.
void wipe(std::string& text) noexcept;

/// Wipes a string on every way out of a scope.
class WipedAtExit {
public:
    /// @param text must outlive this.
    explicit WipedAtExit(std::string& text) noexcept : text_(text) {}
    ~WipedAtExit() { wipe(text_); }
    WipedAtExit(const WipedAtExit&) = delete;
    WipedAtExit& operator=(const WipedAtExit&) = delete;

private:
    std::string& text_;
};

}  // namespace sallyport
