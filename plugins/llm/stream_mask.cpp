#include "stream_mask.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "unescaped.h"

namespace sallyport::plugins::llm {

namespace {

/// Stretches without a piece of a text, after which it is not expected to go on.
constexpr std::uint64_t patience = 32;
/// Of one character in a JSON string.
constexpr std::size_t longestEscape = 6;
/// More are not kept in mind.
constexpr std::size_t mostTexts = 1024;

/// How much of a spelling must have come before it is held back.
std::size_t leastHeld(const Spelling& spelling) {
    constexpr std::size_t beyondGuessing = 10;
    return std::min(spelling.part(), std::max(beyondGuessing, (spelling.part() + 1) / 2));
}

}  // namespace

void StreamMask::feed(std::string_view stretch, std::span<const TextPiece> pieces, const Pass& pass) {
    for (const TextPiece& piece : pieces) {
        follow(stretch, piece);
    }
    const std::uint64_t needed = firstNeeded();
    if (held_.empty() && cuts_.empty() && needed > number_ && !mask_.isNeededFor(stretch)) {
        ++number_;
        pass(stretch);
        return;
    }
    held_.push_back({std::string(stretch), std::exchange(cuts_, {})});
    ++number_;
    for (std::uint64_t first = number_ - held_.size(); !held_.empty() && first < needed; ++first) {
        pass(masked(held_.front()));
        held_.pop_front();
    }
}

std::string StreamMask::end() {
    for (auto& [channel, text] : texts_) {
        for (std::size_t i = 0; i < text.reached.size(); ++i) {
            if (text.reached[i] >= mask_.spellings()[i].part()) {
                cut(text.tail, text.reached[i]);
                break;
            }
        }
    }
    std::string rest;
    for (const Stretch& stretch : std::exchange(held_, {})) {
        rest += masked(stretch);
    }
    texts_.clear();
    return rest;
}

void StreamMask::Text::forget() {
    std::fill(reached.begin(), reached.end(), 0);
    tail.clear();
    held = 0;
}

void StreamMask::follow(std::string_view stretch, const TextPiece& piece) {
    if (mask_.spellings().empty()) {
        return;
    }
    if (texts_.size() >= mostTexts && !texts_.contains(piece.channel)) {
        texts_.clear();
    }
    Text& text = texts_[piece.channel];
    text.reached.resize(mask_.spellings().size());
    text.lastStretch = number_;
    const std::string_view bytes = stretch.substr(0, piece.begin + piece.size);
    // What is in the middle of a long piece, SecretMask finds.
    const std::size_t end = longestEscape * (mask_.longest() + 1);
    for (std::size_t at = piece.begin; at < bytes.size();) {
        if (text.tail.empty() && bytes.size() - at > end) {
            at = bytes.size() - end;
        }
        const Escape escape = bytes[at] == '\\' ? escapeAt(bytes, at) : Escape{1, bytes[at]};
        take(text, escape.value, {number_, at, at + escape.size});
        at += escape.size;
    }
}

void StreamMask::take(Text& text, char c, const Place& place) {
    std::size_t most = 0;
    std::size_t whole = 0;
    text.held = 0;
    for (std::size_t i = 0; i < text.reached.size(); ++i) {
        const Spelling& spelling = mask_.spellings()[i];
        std::size_t& reached = text.reached[i];
        reached = spelling.advance(reached, c);
        most = std::max(most, reached);
        text.held = reached >= leastHeld(spelling) ? std::max(text.held, reached) : text.held;
        whole = reached == spelling.text().size() ? std::max(whole, reached) : whole;
    }
    if (most == 0) {
        text.tail.clear();
        return;
    }
    text.tail.push_back(place);
    while (text.tail.size() > most) {
        text.tail.pop_front();
    }
    if (whole > 0) {
        cut(text.tail, whole);
        text.forget();
    }
}

/// Has the last characters of a text left out, as far as they have not been handed on.
void StreamMask::cut(const std::deque<Place>& tail, std::size_t length) {
    const std::uint64_t oldest = number_ - held_.size();
    bool first = true;
    for (std::size_t i = tail.size() - length; i < tail.size(); ++i) {
        const Place& place = tail[i];
        if (place.stretch >= oldest) {
            auto& cuts = place.stretch == number_ ? cuts_ : held_[place.stretch - oldest].cuts;
            cuts.push_back({place.begin, place.end, std::exchange(first, false)});
        }
    }
}

/// The number of the first stretch that is to be held back.
std::uint64_t StreamMask::firstNeeded() {
    auto first = std::numeric_limits<std::uint64_t>::max();
    for (auto& [channel, text] : texts_) {
        if (number_ - text.lastStretch > patience) {
            text.forget();
        } else if (text.held > 0) {
            first = std::min(first, text.tail[text.tail.size() - text.held].stretch);
        }
    }
    return first;
}

std::string StreamMask::masked(const Stretch& stretch) const {
    std::vector<Cut> cuts = stretch.cuts;
    std::sort(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) { return a.begin < b.begin; });
    std::string text;
    std::size_t done = 0;
    for (const Cut& cut : cuts) {
        text.append(stretch.bytes, done, cut.begin - done).append(cut.first ? SecretMask::instead : "");
        done = cut.end;
    }
    text.append(stretch.bytes, done);
    mask_.apply(text);
    return text;
}

}  // namespace sallyport::plugins::llm
