// Secrets that an upstream repeats, kept from those who must not have them.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::plugins::llm {

/// One way in which a secret may be written. The text is wiped at the end.
class Spelling {
public:
    /// @param part so much of it in one piece gives the secret away.
    Spelling(std::string text, std::size_t part, bool ignoresCase, bool isBase64);
    ~Spelling();
    Spelling(Spelling&& other) noexcept = default;
    Spelling& operator=(Spelling&&) = delete;
    Spelling(const Spelling&) = delete;
    Spelling& operator=(const Spelling&) = delete;

    [[nodiscard]] std::string_view text() const noexcept { return text_; }
    [[nodiscard]] std::size_t part() const noexcept { return part_; }
    /// Whether its first and last character may be neighbours of others that hold bits of the secret, too.
    [[nodiscard]] bool isBase64() const noexcept { return isBase64_; }
    /// Whether a character of another text is the one at a place of this.
    [[nodiscard]] bool matches(std::size_t at, char c) const noexcept;
    /// How many characters of this have come, if `before` had come before this character (Knuth, Morris and
    /// Pratt). `text().size()` is all of it, and goes on as any other.
    [[nodiscard]] std::size_t advance(std::size_t before, char c) const noexcept;

private:
    std::string text_;
    std::size_t part_;
    bool ignoresCase_;
    bool isBase64_;
    std::vector<std::uint16_t> borders_;  ///< for each length, of the longest proper border
};

/// Writes `[key]` in place of secrets: as they are, in base64 of either alphabet and wherever they stand in
/// what was encoded, in hex, and all of these with any of their characters escaped as escapeAt knows it,
/// layer upon layer. A piece of a secret is masked too, if it is half of it and not less than 12 characters.
/// [any thread; immutable]
class SecretMask {
public:
    static constexpr std::string_view instead = "[key]";

    /// Hides nothing.
    SecretMask() = default;
    /// @param secrets of printable ASCII characters, at most 16 KiB each. One of less than shortestKey
    ///        characters is not looked for.
    explicit SecretMask(const std::vector<std::string_view>& secrets);

    /// Masks the text. @return whether there was anything to mask
    bool apply(std::string& text) const;
    /// Whether `apply` would find something.
    [[nodiscard]] bool isNeededFor(std::string_view text) const { return !find(text).empty(); }
    [[nodiscard]] std::string masked(std::string text) const;
    /// The same for a text that was cut off, perhaps within a secret.
    [[nodiscard]] std::string maskedCut(std::string text) const;

    [[nodiscard]] const std::vector<Spelling>& spellings() const noexcept { return spellings_; }
    /// Characters of the longest spelling.
    [[nodiscard]] std::size_t longest() const noexcept { return longest_; }

private:
    struct Span {
        std::size_t begin;
        std::size_t end;
    };
    /// Four characters of a spelling.
    struct Gram {
        std::uint32_t folded;
        std::uint16_t spelling;  ///< by its number
        std::uint16_t at;
    };
    using Spans = std::vector<Span>;

    void spell(std::string_view secret);
    void addBase64(std::string_view secret, std::size_t part);
    void prepare();

    [[nodiscard]] Spans find(std::string_view text) const;
    template <class Found>
    void scan(std::string_view text, Found found) const;
    [[nodiscard]] Span around(std::string_view text, std::size_t at) const;
    [[nodiscard]] Span extended(std::string_view text, std::size_t at, const Gram& gram) const;
    template <class Each>
    void eachEscape(std::string_view text, Each each) const;
    [[nodiscard]] bool matters(char afterBackslash) const;
    [[nodiscard]] bool isOfInterest(std::string_view text, std::size_t at) const;
    void findEscaped(std::string_view text, std::size_t begin, std::size_t end, Spans& spans) const;

    std::vector<Spelling> spellings_;
    std::size_t longest_ = 0;           ///< of all spellings
    std::size_t stride_ = 0;            ///< whichever part is found has a gram at a multiple of this
    std::vector<Gram> grams_;           ///< all of all spellings, sorted
    std::bitset<65536> known_;          ///< hashes of the grams
    std::array<bool, 256> relevant_{};  ///< characters whose escapes matter
    bool hasBackslash_ = false;         ///< in a spelling
};

}  // namespace sallyport::plugins::llm
