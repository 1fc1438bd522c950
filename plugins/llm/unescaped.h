// Undoing the escapes of JSON, URLs, HTML and programs, and still knowing where everything stood.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::plugins::llm {

/// One escape, or one character that is none.
struct Escape {
    std::size_t size = 1;  ///< bytes that it takes up
    char value = 0;        ///< what it stands for
    bool escaped = false;  ///< whether it stands for anything but itself
};

/// Reads what a text has at a place: `\n`, `\"`, `\u006b`, `\u{6b}`, `\x6b`, `\153`, `%6b`, `&#107;`,
/// `&#x6b;` and `&amp;` with the few names that go with it, in any letter case. What stands for no ASCII
/// character is left as it is.
[[nodiscard]] Escape escapeAt(std::string_view text, std::size_t at);

/// A part of a text whose escapes are undone layer by layer: a JSON text in a string of another one has two.
class Unescaped {
public:
    /// The bytes from `begin` to `end`, as they are.
    Unescaped(std::string_view text, std::size_t begin, std::size_t end);

    /// Undoes one layer. @return whether there was anything to undo
    bool undo();

    [[nodiscard]] std::string_view text() const noexcept { return text_; }
    /// Where a byte of `text()`, or its end, comes from in the text that was given first.
    [[nodiscard]] std::size_t origin(std::size_t at) const { return origins_[at]; }

private:
    std::string text_;
    std::vector<std::size_t> origins_;  ///< one more than bytes
};

}  // namespace sallyport::plugins::llm
