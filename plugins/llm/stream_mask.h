// Secrets in a stream of events, also one that comes in pieces, each in an event of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "secret_mask.h"

namespace sallyport::plugins::llm {

/// Where a stretch of a stream has a piece of running text, in a JSON string.
struct TextPiece {
    /// Pieces of the same one make up a text: the answer, the arguments of a tool call, …
    std::uint64_t channel = 0;
    std::size_t begin = 0;  ///< of what is between the quotation marks
    std::size_t size = 0;
};

/// Hands a stream on as it comes, masked. It is held back only while one of its running texts ends with the
/// beginning of a secret, and not for long if that text does not go on. Who makes a model say what he guesses
/// can tell by the delay that he is right: so that nobody can go on from character to character, as much must
/// have come as cannot be guessed, a quarter of the secret and ten characters. What is less has been handed
/// on when the rest is masked. [one thread at a time]
class StreamMask {
public:
    using Pass = std::function<void(std::string_view)>;

    /// @param mask must outlive this.
    explicit StreamMask(const SecretMask& mask) : mask_(mask) {}

    /// The next stretch: whole events. @param pieces that it has, in order
    void feed(std::string_view stretch, std::span<const TextPiece> pieces, const Pass& pass);
    /// Nothing more comes. @return what was held back
    [[nodiscard]] std::string end();

private:
    /// Of a character.
    struct Place {
        std::uint64_t stretch = 0;  ///< by its number
        std::size_t begin = 0;
        std::size_t end = 0;
    };
    struct Text {
        std::vector<std::size_t> reached{};  ///< how much of each spelling it ends with
        std::deque<Place> tail{};            ///< its last characters, as many as the most that is reached
        std::size_t held = 0;                ///< of them, that are not to be handed on
        std::uint64_t lastStretch = 0;       ///< that it had a piece in

        void forget();
    };
    struct Cut {
        std::size_t begin = 0;
        std::size_t end = 0;
        bool first = false;  ///< of those of one secret
    };
    struct Stretch {
        std::string bytes{};
        std::vector<Cut> cuts{};
    };

    void follow(std::string_view stretch, const TextPiece& piece);
    void take(Text& text, char c, const Place& place);
    void cut(const std::deque<Place>& tail, std::size_t length);
    [[nodiscard]] std::uint64_t firstNeeded();
    [[nodiscard]] std::string masked(const Stretch& stretch) const;

    const SecretMask& mask_;
    std::map<std::uint64_t, Text> texts_{};
    std::uint64_t number_ = 0;    ///< of the stretch that is fed
    std::vector<Cut> cuts_{};     ///< in it
    std::deque<Stretch> held_{};  ///< the stretches just before it
};

}  // namespace sallyport::plugins::llm
